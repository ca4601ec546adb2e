-- Stays behind when the tables go; the triggers go with them.
CREATE OR REPLACE FUNCTION registry_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the registry is only added to'; END $$;
CREATE TRIGGER registry_log_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_log FOR EACH STATEMENT EXECUTE FUNCTION registry_is_only_added_to();
CREATE TRIGGER registry_documents_are_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_documents FOR EACH STATEMENT EXECUTE FUNCTION registry_is_only_added_to();
