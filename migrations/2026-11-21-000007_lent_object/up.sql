-- What an answer is awaited about: whose profile was set is known when its result comes, and a result does not name the session (CP-13).
ALTER TABLE lent ADD COLUMN object TEXT NOT NULL DEFAULT '';
