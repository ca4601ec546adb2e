DROP TABLE pulls;
DROP TABLE copies;
DROP TABLE mirror;
