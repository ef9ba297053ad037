-- E-mails of users; the size of the activity log.

-- An e-mail, and an account of an OpenID provider, may belong to one user of each client.

CREATE TABLE user_6 (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid       TEXT    NOT NULL,
    client     INTEGER NOT NULL,
    email      TEXT    NOT NULL COLLATE NOCASE,
    name       TEXT    NOT NULL,
    role       INTEGER NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    -- An IANA name; none: the browser's.
    time_zone  TEXT,
    UNIQUE (email, client)
) STRICT;
INSERT INTO user_6 SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, NULL FROM user;
-- Ids that were given or reserved must not come again.
DELETE FROM sqlite_sequence WHERE name = 'user_6';
INSERT INTO sqlite_sequence (name, seq) SELECT 'user_6', seq FROM sqlite_sequence WHERE name = 'user';
DROP TABLE user;
ALTER TABLE user_6 RENAME TO user;
CREATE INDEX user_by_client ON user (client, id);

DROP INDEX credential_by_subject;
CREATE INDEX credential_by_subject ON credential (issuer, subject) WHERE subject IS NOT NULL;

-- The activity log is bounded for each client, in parts, so that nobody pushes out what others have. part: 0 changes, 1 sign-ins, 2 refused
-- sign-ins. bytes: about what an entry takes.
ALTER TABLE activity ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
ALTER TABLE activity ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE activity SET
    part = CASE WHEN object_type <> 'sign_in' THEN 0 WHEN action <> 'refuse' THEN 1 ELSE 2 END,
    bytes = 100 + length(object_name) + length(changes);
CREATE INDEX activity_by_part ON activity (client, part, id, bytes);
CREATE TABLE activity_size (
    client INTEGER NOT NULL,
    part   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (client, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_size_by_bytes ON activity_size (bytes);
INSERT INTO activity_size SELECT client, part, sum(bytes) FROM activity GROUP BY client, part;
