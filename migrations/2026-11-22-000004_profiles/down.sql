ALTER TABLE lent DROP COLUMN acts_for;
DROP INDEX notices_under_a_contract;
ALTER TABLE notices DROP COLUMN whole;
ALTER TABLE notices DROP COLUMN contract;
ALTER TABLE notices DROP COLUMN from_party;
DROP TABLE controls;
DROP TABLE contracts;
