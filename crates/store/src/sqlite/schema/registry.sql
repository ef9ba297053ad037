-- Who and what is set up: integrations, clients, users and how they sign in, tokens, applications, the activity log, the outbox.

-- AUTOINCREMENT, here and below: an id is never given again, so that nothing of what is deleted can come back under it.
-- target: JSON, all of the target that is not secret. secrets: sealed JSON.
-- disabled: null = active; 'user'; or the JSON of the reason for which hitwire disabled it.
-- filter: JSON, which events of the subscribed kinds.
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
    secrets          BLOB    NOT NULL,
    filter           TEXT    NOT NULL
) STRICT;
-- What a page looks through stands in an index as a whole: rows are long.
CREATE INDEX integration_by_client ON integration (client, id, name);
CREATE INDEX integration_enabled ON integration (client, id, name, disabled) WHERE disabled IS NULL;
CREATE INDEX integration_disabled ON integration (client, id, name, disabled) WHERE disabled IS NOT NULL;

-- How many integrations a client has: kept, so that nobody counts them.
CREATE TABLE integration_count (
    client   INTEGER PRIMARY KEY,
    enabled  INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT;
CREATE TRIGGER integration_made AFTER INSERT ON integration BEGIN
    INSERT OR IGNORE INTO integration_count VALUES (NEW.client, 0, 0);
    UPDATE integration_count SET enabled = enabled + (NEW.disabled IS NULL), disabled = disabled + (NEW.disabled IS NOT NULL)
        WHERE client = NEW.client;
END;
CREATE TRIGGER integration_changed AFTER UPDATE OF disabled ON integration
    WHEN (OLD.disabled IS NULL) <> (NEW.disabled IS NULL) BEGIN
    UPDATE integration_count SET enabled = enabled + (NEW.disabled IS NULL) - (OLD.disabled IS NULL),
        disabled = disabled + (NEW.disabled IS NOT NULL) - (OLD.disabled IS NOT NULL)
        WHERE client = NEW.client;
END;
CREATE TRIGGER integration_gone AFTER DELETE ON integration BEGIN
    UPDATE integration_count SET enabled = enabled - (OLD.disabled IS NULL), disabled = disabled - (OLD.disabled IS NOT NULL)
        WHERE client = OLD.client;
    DELETE FROM integration_count WHERE client = OLD.client AND enabled + disabled = 0;
END;

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

-- Tenants. limits: JSON.
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

-- An e-mail, and an account of an OpenID provider, may belong to one user of each client. time_zone: an IANA name; null: the
-- browser's.
CREATE TABLE user (
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
    time_zone  TEXT,
    UNIQUE (email, client)
) STRICT;
CREATE INDEX user_by_client ON user (client, id);

-- What a user proves who it is with; a user without a row cannot sign in. password: PHC string of argon2id, null: none is set.
-- totp: the sealed secret, null: no second factor. totp_step: the last step of 30 s whose code was accepted. recovery: JSON, the
-- SHA-256 of each recovery code that is left. issuer, subject: who it is to an OpenID provider.
CREATE TABLE credential (
    user            INTEGER PRIMARY KEY,
    revision        INTEGER NOT NULL,
    password        TEXT,
    password_set_at INTEGER,
    totp            BLOB,
    totp_step       INTEGER NOT NULL,
    recovery        TEXT    NOT NULL,
    issuer          TEXT,
    subject         TEXT
) STRICT;
CREATE INDEX credential_by_subject ON credential (issuer, subject) WHERE subject IS NOT NULL;

-- Who is signed in. sha256: of what the browser holds. signed_in_with: 'password', 'totp', 'recovery', 'oidc', 'link'.
CREATE TABLE session (
    sha256         BLOB PRIMARY KEY,
    user           INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    last_used_at   INTEGER NOT NULL,
    signed_in_with TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    agent          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user, created_at);

-- Links that set a password, each good once. user: null = the first one, who is yet to be made.
CREATE TABLE link (
    sha256     BLOB PRIMARY KEY,
    user       INTEGER,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_user ON link (user);

-- The number names a token without its hash.
CREATE TABLE token (
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

-- Who changed what. changes: JSON, secrets masked. actor_name is null for hitwire itself. The activity log is bounded for each
-- client, in parts, so that nobody pushes out what others have. part: 0 changes, 1 sign-ins, 2 refused sign-ins. bytes: about
-- what an entry takes.
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
    changes     TEXT    NOT NULL,
    part        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL
) STRICT;
CREATE INDEX activity_by_client ON activity (client, id);
CREATE INDEX activity_by_part ON activity (client, part, id, bytes);
CREATE TABLE activity_size (
    client INTEGER NOT NULL,
    part   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (client, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_size_by_bytes ON activity_size (bytes);

-- Events that tell of changes, until they are in the log.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    client   INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    event_id TEXT    NOT NULL,
    body     TEXT    NOT NULL
) STRICT;
