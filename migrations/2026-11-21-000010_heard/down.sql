DROP INDEX mirror_claiming;
ALTER TABLE mirror DROP COLUMN claims_conformity;
DROP TABLE observations;
