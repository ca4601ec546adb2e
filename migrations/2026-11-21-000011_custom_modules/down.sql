DELETE FROM revisions WHERE name = 'publickeys';
DROP TABLE registration_names;
DROP TABLE notices;
