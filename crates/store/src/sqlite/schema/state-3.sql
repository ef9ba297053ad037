-- How users sign in to the console.

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
CREATE UNIQUE INDEX credential_by_subject ON credential (issuer, subject) WHERE subject IS NOT NULL;

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
