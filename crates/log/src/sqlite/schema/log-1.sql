-- A slice of the log. Rows are only ever added; whole slices are removed.

-- flags: 1 = the id came before with other content; 2 = counts for deduplication.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    appended_ms INTEGER NOT NULL,
    client      INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    flags       INTEGER NOT NULL,
    id          TEXT    NOT NULL,
    body        TEXT    NOT NULL
) STRICT;

-- The directory: what a finished block of 4,096 positions holds of each stream, so that a reader can skip it.
CREATE TABLE block (
    client    INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    block     INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    PRIMARY KEY (client, kind, block)
) STRICT, WITHOUT ROWID;

-- The finished blocks themselves. A block without a row here must be searched.
CREATE TABLE span (
    block     INTEGER PRIMARY KEY,
    oldest_ms INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL
) STRICT;

-- How far each source was read, committed with the events read up to there. A new slice begins with a copy.
CREATE TABLE checkpoint (
    source   TEXT PRIMARY KEY,
    position BLOB NOT NULL
) STRICT, WITHOUT ROWID;
