-- The delivery log: one row for each request of a batch. id: given by the writer, ever higher; AUTOINCREMENT remembers the last
-- one beyond rows that are gone.
CREATE TABLE attempt (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    integration      INTEGER NOT NULL,
    lane             INTEGER NOT NULL,
    webhook_id       TEXT    NOT NULL,
    number           INTEGER NOT NULL,
    first            INTEGER NOT NULL,
    last             INTEGER NOT NULL,
    events           INTEGER NOT NULL,
    body_bytes       INTEGER NOT NULL,
    started_ms       INTEGER NOT NULL,
    took_us          INTEGER NOT NULL,
    status           INTEGER,
    verdict          INTEGER NOT NULL,
    address          TEXT,
    error            TEXT,
    body_sha256      BLOB,
    content_revision INTEGER
) STRICT;
CREATE INDEX attempt_by_integration ON attempt (integration, id);
-- Failures, which are few among many successes (verdict 1).
CREATE INDEX attempt_failed ON attempt (integration, id) WHERE verdict <> 1;
-- The attempts that an event was in: those that end at it or soon after it.
CREATE INDEX attempt_by_last ON attempt (integration, last);
