-- The token a platform gave us, closed with the key of [secrets]. The column token_out holds what the program before this one wrote, until
-- the next start closes it: it is emptied then, and goes in a later release.
ALTER TABLE platforms ADD COLUMN token_sealed TEXT;

-- A proof that the key is the right one: a known text, closed with it. There is one.
CREATE TABLE secret_keys (
    name TEXT NOT NULL PRIMARY KEY,
    proof TEXT NOT NULL
);
