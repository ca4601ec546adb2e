-- What operators changed: one line for each step, each naming the one before. See guards.*.sql: nothing here is changed or removed.
CREATE TABLE audit_log (
    seq BIGINT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- A signed word about how long the log is, so that one cut off at its end shows. There is one, of the newest line.
CREATE TABLE audit_checkpoints (
    name TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);
