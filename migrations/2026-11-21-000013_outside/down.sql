DROP TABLE secret_keys;
ALTER TABLE platforms DROP COLUMN token_sealed;
