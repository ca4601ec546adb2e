-- URLs of the hub that stand for URLs of a peer (D-11, D-14): where an answer is to go, and where a list goes on. A CDR's Location is
-- kept with the CDR. `digest` is the same for the same page lent to the same parties, so that a crawl repeated does not grow the table.
CREATE TABLE lent (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    module TEXT NOT NULL,
    what TEXT NOT NULL,
    requester_platform TEXT NOT NULL,
    requester_country_code TEXT NOT NULL,
    requester_party_id TEXT NOT NULL,
    receiver_platform TEXT NOT NULL,
    receiver_country_code TEXT NOT NULL,
    receiver_party_id TEXT NOT NULL,
    url TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX lent_once ON lent (digest);
CREATE INDEX lent_until ON lent (expires_at);
