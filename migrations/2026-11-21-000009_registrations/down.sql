DROP TABLE registry_files;
DROP TABLE confirmations;
DROP TABLE answers;
