-- Attempts tell what their bodies are made again from, and are found by outcome and by event.

-- Null in rows of older versions.
ALTER TABLE attempt ADD COLUMN body_sha256 BLOB;
ALTER TABLE attempt ADD COLUMN content_revision INTEGER;

-- Failures, which are few among many successes (verdict 1).
CREATE INDEX attempt_failed ON attempt (integration, id) WHERE verdict <> 1;
-- The attempts that an event was in: those that end at it or soon after it.
CREATE INDEX attempt_by_last ON attempt (integration, last);
