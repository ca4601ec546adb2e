-- Who lets whom steer charging sessions, as the operator wrote it.
CREATE TABLE contracts (
    id TEXT NOT NULL PRIMARY KEY,
    grantor_key TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Whoever knows it can tell a pseudonym's token.
    secret TEXT NOT NULL,
    -- 1 where it stands in the configuration file: then only that says what it says.
    is_configured BIGINT NOT NULL
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
    -- The Session, while a provider is to see it, and how long at most if nothing more is said of it.
    copy TEXT,
    copy_until BIGINT NOT NULL,
    PRIMARY KEY (cpo_key, session_key)
);
CREATE UNIQUE INDEX controls_in_order ON controls (id);
CREATE INDEX controls_of_a_session ON controls (session_key);
CREATE INDEX controls_by_end ON controls (expires_at);
CREATE INDEX controls_with_a_copy ON controls (copy_until) WHERE copy IS NOT NULL;

-- A Session shown to a provider: in whose name, under which contract, and all of it where the body is a change.
ALTER TABLE notices ADD COLUMN from_party TEXT;
ALTER TABLE notices ADD COLUMN contract TEXT;
ALTER TABLE notices ADD COLUMN whole TEXT;
CREATE INDEX notices_under_a_contract ON notices (contract) WHERE contract IS NOT NULL;

-- The eMSP in whose name a provider asks.
ALTER TABLE lent ADD COLUMN acts_for TEXT;
