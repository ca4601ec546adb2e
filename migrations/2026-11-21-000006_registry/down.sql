DROP TABLE registry_signer;
DROP TABLE registry_checkpoints;
DROP TABLE registry_documents;
DROP TABLE registry_log;
