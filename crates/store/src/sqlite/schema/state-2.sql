-- Accounts, the activity log, the outbox; filters of integrations.

-- filter: JSON, which events of the subscribed kinds.
ALTER TABLE integration ADD COLUMN filter TEXT NOT NULL DEFAULT '{}';

-- Tenants. AUTOINCREMENT here and below: what is gone must not come back under its number. limits: JSON.
CREATE TABLE client (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    limits     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL
) STRICT;
-- The client of sources and of configured tokens is there from the beginning.
INSERT INTO client VALUES (1, '00000000-0000-0000-0000-000000000001', 'default', 1, '{}', unixepoch(), 'hitwire', 1);

CREATE TABLE user (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid       TEXT    NOT NULL,
    client     INTEGER NOT NULL,
    email      TEXT    NOT NULL COLLATE NOCASE UNIQUE,
    name       TEXT    NOT NULL,
    role       INTEGER NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL
) STRICT;
CREATE INDEX user_by_client ON user (client, id);

-- Tokens get a number, so that one can be named without its hash.
CREATE TABLE token_2 (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256       BLOB    NOT NULL UNIQUE,
    client       INTEGER NOT NULL,
    user         INTEGER,
    role         INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT;
INSERT INTO token_2 (sha256, client, role, name, created_at, created_by)
    SELECT sha256, client, role, name, created_at, '' FROM token ORDER BY created_at;
DROP TABLE token;
ALTER TABLE token_2 RENAME TO token;
CREATE INDEX token_by_client ON token (client, id);
CREATE INDEX token_by_user ON token (user) WHERE user IS NOT NULL;

CREATE TABLE application (
    client INTEGER NOT NULL,
    id     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    PRIMARY KEY (client, id)
) STRICT, WITHOUT ROWID;

-- Ids that were reserved for what has no AUTOINCREMENT.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what. changes: JSON, secrets masked. actor_name is null for hitwire itself.
CREATE TABLE activity (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    client      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    actor_name  TEXT,
    actor_email TEXT,
    source      INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    object_type TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    object_name TEXT    NOT NULL,
    changes     TEXT    NOT NULL
) STRICT;
CREATE INDEX activity_by_client ON activity (client, id);

-- Events that tell of changes, until they are in the log.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    client   INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    event_id TEXT    NOT NULL,
    body     TEXT    NOT NULL
) STRICT;

-- kinds: the numbers of the lost kinds, one byte each; null in rows of the first version: any of the lane.
ALTER TABLE lost ADD COLUMN kinds BLOB;

-- The batches on their way, in log order; what lies between two of a lane is settled. settled_behind: so many events after
-- last, up to through, were settled before the batch.
CREATE TABLE open_batch (
    integration      INTEGER NOT NULL,
    lane             INTEGER NOT NULL,
    first            INTEGER NOT NULL,
    last             INTEGER NOT NULL,
    through          INTEGER NOT NULL,
    settled_behind   INTEGER NOT NULL,
    events           INTEGER NOT NULL,
    webhook_id       TEXT    NOT NULL,
    content_revision INTEGER NOT NULL,
    body_bytes       INTEGER NOT NULL,
    body_sha256      BLOB    NOT NULL,
    tries            INTEGER NOT NULL,
    refusal          TEXT,
    PRIMARY KEY (integration, lane, first)
) STRICT, WITHOUT ROWID;
INSERT INTO open_batch
    SELECT integration, lane, open_first, open_last, open_through, 0, events, webhook_id, content_revision, body_bytes,
           body_sha256, tries, refusal
    FROM lane WHERE open_first IS NOT NULL;
-- A lane keeps its cursor alone.
CREATE TABLE lane_2 (
    integration INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    cursor      INTEGER NOT NULL,
    PRIMARY KEY (integration, lane)
) STRICT, WITHOUT ROWID;
INSERT INTO lane_2 SELECT integration, lane, cursor FROM lane;
DROP TABLE lane;
ALTER TABLE lane_2 RENAME TO lane;
