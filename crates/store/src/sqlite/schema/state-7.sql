-- How old positions are, in time that hitwire ran: where the log ended after so much of it. The sum itself is in meta as
-- running_ms.
CREATE TABLE running (
    ran_ms INTEGER PRIMARY KEY,
    head   INTEGER NOT NULL
) STRICT;
