-- Whoever listens hears of a new revision of the directory at its commit.
CREATE OR REPLACE FUNCTION directory_has_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('truewatt', NEW.name); RETURN NULL; END $$;
DROP TRIGGER IF EXISTS directory_has_moved ON revisions;
CREATE TRIGGER directory_has_moved AFTER UPDATE ON revisions FOR EACH ROW WHEN (NEW.name = 'directory' AND NEW.value <> OLD.value) EXECUTE FUNCTION directory_has_moved();
