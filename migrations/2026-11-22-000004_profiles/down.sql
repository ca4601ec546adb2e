DROP TABLE controls;
DROP TABLE contracts;
