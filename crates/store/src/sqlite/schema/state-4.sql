-- Integrations are listed page by page.

-- How many integrations a client has: kept, so that nobody counts them.
CREATE TABLE integration_count (
    client   INTEGER PRIMARY KEY,
    enabled  INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT;
INSERT INTO integration_count SELECT client, count(*) - count(disabled), count(disabled) FROM integration GROUP BY client;
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

-- What a page looks through stands in an index as a whole: rows are long.
DROP INDEX integration_by_client;
CREATE INDEX integration_by_client ON integration (client, id, name);
CREATE INDEX integration_enabled ON integration (client, id, name, disabled) WHERE disabled IS NULL;
CREATE INDEX integration_disabled ON integration (client, id, name, disabled) WHERE disabled IS NOT NULL;
