CREATE TRIGGER registry_log_is_not_changed BEFORE UPDATE ON registry_log BEGIN SELECT RAISE(ABORT, 'the log of the registry is only added to'); END;
CREATE TRIGGER registry_log_is_not_shortened BEFORE DELETE ON registry_log BEGIN SELECT RAISE(ABORT, 'the log of the registry is only added to'); END;
CREATE TRIGGER registry_documents_are_not_changed BEFORE UPDATE ON registry_documents BEGIN SELECT RAISE(ABORT, 'documents of the registry are only added'); END;
CREATE TRIGGER registry_documents_are_not_removed BEFORE DELETE ON registry_documents BEGIN SELECT RAISE(ABORT, 'documents of the registry are only added'); END;
