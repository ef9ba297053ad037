-- What became of events for each integration: lanes, batches on their way, lost ranges; and what the store knows
-- of the log.

-- name: 'canary' = a sealed word that proves the key; 'running_ms' = how long hitwire has run; 'attempts' = the last number of an
-- attempt, as of the last minute.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each integration holds all that a step of its courier writes, but for attempts and lost ranges.
-- token: drawn by the last load; null once anybody else has changed the row. endpoint: schedule and health, JSON.
-- urgent, bulk: cursors of the lanes. urgent_open, bulk_open: the batches on their way, in log order; null: none.
CREATE TABLE courier (
    integration INTEGER PRIMARY KEY,
    token       INTEGER,
    endpoint    TEXT    NOT NULL,
    urgent      INTEGER NOT NULL,
    urgent_open BLOB,
    bulk        INTEGER NOT NULL,
    bulk_open   BLOB
) STRICT;

-- Replays. plan: what is sent, JSON. last: where it ends. cursor, open: like those of a live lane. ended_ms: null as long as it
-- is under way. Numbers of an integration only grow: the newest row is never forgotten.
CREATE TABLE replay (
    integration  INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    plan         TEXT    NOT NULL,
    last         INTEGER NOT NULL,
    cursor       INTEGER NOT NULL,
    open         BLOB,
    paused       INTEGER NOT NULL,
    events_per_s INTEGER,
    begun_ms     INTEGER NOT NULL,
    delivered    INTEGER NOT NULL DEFAULT 0,
    given_up     INTEGER NOT NULL DEFAULT 0,
    ended_ms     INTEGER,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (integration, number)
) STRICT;
CREATE INDEX replay_under_way ON replay (cursor) WHERE ended_ms IS NULL;

-- Dead and skipped ranges. kinds: the numbers of the lost kinds, one byte each.
CREATE TABLE lost (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    integration INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    reason      INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    recorded_ms INTEGER NOT NULL,
    kinds       BLOB    NOT NULL
) STRICT;
CREATE INDEX lost_by_integration ON lost (integration, id);

-- How old positions are, in time that hitwire ran: where the log ended after so much of it. The sum itself is in meta as
-- running_ms.
CREATE TABLE running (
    ran_ms INTEGER PRIMARY KEY,
    head   INTEGER NOT NULL
) STRICT;
