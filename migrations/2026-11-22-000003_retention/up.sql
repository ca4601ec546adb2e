-- Who removes what is old, until when nobody else does, and when that last ended; and of each kind how much was removed so far.
CREATE TABLE retention (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL,
    ended_at BIGINT,
    removed BIGINT NOT NULL
);
-- Objects that are no more, by when they ceased to be.
CREATE INDEX mirror_gone ON mirror (deleted_at) WHERE deleted_at IS NOT NULL;
