-- A slice of the log. Rows are only ever added; whole slices are removed, or replaced by one that says the same.

-- The events of a commit, or a part of them: see the module `block`. Before the body stands what tells whether to read it,
-- and `ids`, by which events that are sent again are known after a start: see the module `fingerprint`.
CREATE TABLE block (
    first       INTEGER PRIMARY KEY,
    events      INTEGER NOT NULL,
    oldest_ms   INTEGER NOT NULL,
    newest_ms   INTEGER NOT NULL,
    streams     BLOB    NOT NULL,
    format      INTEGER NOT NULL,
    plain_bytes INTEGER NOT NULL,
    hash        INTEGER NOT NULL,
    ids         BLOB    NOT NULL,
    body        BLOB    NOT NULL
) STRICT;

-- Whole blocks one after another, of 4,096 positions or more together: what a reader may skip at once, or count without
-- looking at each block. Blocks after the last span must be searched.
CREATE TABLE span (
    first     INTEGER PRIMARY KEY,
    last      INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL
) STRICT;

-- What a span holds of each stream.
CREATE TABLE span_stream (
    client    INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    PRIMARY KEY (client, kind, first)
) STRICT, WITHOUT ROWID;

-- How far each source was read, committed with the events read up to there. A new slice begins with a copy. `through` is
-- the last position that the log had with this commit: if the commit is given up after a failed sync, its positions are cut
-- off, and with them the checkpoints that go beyond. So the one before is kept until the next one.
CREATE TABLE checkpoint (
    source   TEXT    NOT NULL,
    through  INTEGER NOT NULL,
    position BLOB    NOT NULL,
    PRIMARY KEY (source, through)
) STRICT, WITHOUT ROWID;
