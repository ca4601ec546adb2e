-- What is due is looked for platform by platform, so that what one is owed does not stand in front of the others.
CREATE INDEX outbox_due_to ON outbox (state, platform_id, next_attempt_at, id);
-- Nobody asks for it any more; the program before this one finds what is due without it, only slower.
DROP INDEX outbox_due;

-- Which process looks whether a platform is alive, until when nobody else does, and what it found.
CREATE TABLE presence_checks (
    platform_id TEXT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL,
    ended_at BIGINT,
    alive BIGINT NOT NULL
);

-- What is written to find out whether anything can be.
INSERT INTO revisions (name, value) VALUES ('ping', 0);
