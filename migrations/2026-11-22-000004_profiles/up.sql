-- Who lets whom steer charging sessions, as the operator wrote it.
CREATE TABLE contracts (
    id TEXT NOT NULL PRIMARY KEY,
    grantor_key TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX contracts_of_a_grantor ON contracts (grantor_key, id);

-- Who steers a session, and whatever goes with it. A row is changed only by who found it at the revision it had.
CREATE TABLE controls (
    cpo_key TEXT NOT NULL,
    session_key TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    is_steered BIGINT NOT NULL,
    is_over BIGINT NOT NULL,
    document TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (cpo_key, session_key)
);
CREATE UNIQUE INDEX controls_in_order ON controls (id);
CREATE INDEX controls_of_a_session ON controls (session_key);
CREATE INDEX controls_by_end ON controls (expires_at);
