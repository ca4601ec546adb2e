DROP INDEX mirror_gone;
DROP TABLE retention;
