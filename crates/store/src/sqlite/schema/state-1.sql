-- Integrations, their lanes and their history.

-- name: 'lease' = the lease that was given last; 'canary' = a sealed word that proves the key.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given again, so that nothing of a deleted integration can come back under it.
-- target: JSON, all of the target that is not secret. secrets: sealed JSON.
-- disabled: null = active; 'user'; or the JSON of the reason for which hitwire disabled it.
CREATE TABLE integration (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    client           INTEGER NOT NULL,
    name             TEXT    NOT NULL,
    disabled         TEXT,
    created_at       INTEGER NOT NULL,
    created_by       TEXT    NOT NULL,
    revision         INTEGER NOT NULL,
    content_revision INTEGER NOT NULL,
    target           TEXT    NOT NULL,
    secrets          BLOB    NOT NULL
) STRICT;
CREATE INDEX integration_by_client ON integration (client, id);

-- What an integration subscribes to, and what it subscribed to before. since: first position that counts (inclusive).
-- until: last position that counted; null = it still does. revision: the content revision that it began with.
CREATE TABLE subscription (
    id           INTEGER PRIMARY KEY,
    integration  INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    active       INTEGER NOT NULL,
    with_headers INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    until        INTEGER
) STRICT;
CREATE INDEX subscription_by_integration ON subscription (integration, until, place);

-- The endpoint's schedule and health, as the courier wrote them.
CREATE TABLE endpoint (
    integration INTEGER PRIMARY KEY,
    state       TEXT NOT NULL
) STRICT;

-- A lane: its cursor, and the batch on its way, if any (then open_first is set, and all that follows up to tries).
CREATE TABLE lane (
    integration      INTEGER NOT NULL,
    lane             INTEGER NOT NULL,
    cursor           INTEGER NOT NULL,
    open_first       INTEGER,
    open_last        INTEGER,
    open_through     INTEGER,
    events           INTEGER,
    webhook_id       TEXT,
    content_revision INTEGER,
    body_bytes       INTEGER,
    body_sha256      BLOB,
    tries            INTEGER,
    refusal          TEXT,
    PRIMARY KEY (integration, lane)
) STRICT, WITHOUT ROWID;

-- The delivery log.
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    integration INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    webhook_id  TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    body_bytes  INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,
    took_us     INTEGER NOT NULL,
    status      INTEGER,
    verdict     INTEGER NOT NULL,
    address     TEXT,
    error       TEXT
) STRICT;
CREATE INDEX attempt_by_integration ON attempt (integration, id);

-- Dead and skipped ranges.
CREATE TABLE lost (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    integration INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    reason      INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    recorded_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX lost_by_integration ON lost (integration, id);

CREATE TABLE token (
    sha256     BLOB PRIMARY KEY,
    client     INTEGER NOT NULL,
    role       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
