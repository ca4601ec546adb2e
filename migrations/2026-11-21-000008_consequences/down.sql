DROP INDEX cdrs_crediting;
DROP TABLE case_cdrs;
DROP TABLE case_findings;
DROP TABLE cases;
DROP TABLE unexamined;
DELETE FROM revisions WHERE name = 'rechecks';
DROP TABLE rechecks;
DROP TABLE walks;
DROP TABLE traces;
