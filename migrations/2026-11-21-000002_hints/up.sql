-- What traffic has taught about who has what, so that a request without an addressee finds its way (D-20). Only ids and parties; each
-- hint has its end.
CREATE TABLE hints (
    kind TEXT NOT NULL,
    id_key TEXT NOT NULL,
    owner_key TEXT NOT NULL,
    owner_country_code TEXT NOT NULL,
    owner_party_id TEXT NOT NULL,
    scope_key TEXT NOT NULL,
    scope_country_code TEXT NOT NULL,
    scope_party_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id_key, owner_key, scope_key)
);
CREATE INDEX hints_ending ON hints (expires_at);
