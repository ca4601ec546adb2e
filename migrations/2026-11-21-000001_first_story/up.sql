-- Who is connected. A party and role live on one platform only (CR-33): the primary key says so to every process.
CREATE TABLE platforms (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    options TEXT NOT NULL,
    version TEXT,
    versions_url TEXT,
    token_out TEXT,
    token_form TEXT NOT NULL,
    endpoints TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE TABLE parties (
    party_key TEXT NOT NULL,
    role TEXT NOT NULL,
    platform_id TEXT NOT NULL,
    country_code TEXT NOT NULL,
    party_id TEXT NOT NULL,
    name TEXT NOT NULL,
    business_details TEXT,
    status TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (party_key, role)
);
CREATE INDEX parties_of_a_platform ON parties (platform_id);

CREATE TABLE tokens (
    hash TEXT NOT NULL PRIMARY KEY,
    platform_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX tokens_of_a_platform ON tokens (platform_id);

-- Counters that move with every change of what processes keep in memory. Changing the counter first also makes those changes
-- queue up behind each other, on both databases.
CREATE TABLE revisions (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions (name, value) VALUES ('directory', 0);
INSERT INTO revisions (name, value) VALUES ('keys', 0);

-- Which key belongs to which meter. `claim` is everything a registration says, in one text: the same claim is registered once.
CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    claim TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    curve TEXT NOT NULL,
    spki_hex TEXT NOT NULL,
    meter_serial TEXT NOT NULL,
    gateway_serial TEXT,
    evse_id TEXT NOT NULL,
    evse_uid TEXT,
    cpo_key TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,
    calibrated BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deactivated_at BIGINT
);
CREATE UNIQUE INDEX keys_claimed_once ON keys (claim) WHERE state = 'ACTIVE';

-- What is known about a CDR. The octets themselves are in `octets`, which is written once and never changed.
CREATE TABLE cdrs (
    id TEXT NOT NULL PRIMARY KEY,
    country_code TEXT NOT NULL,
    party_id TEXT NOT NULL,
    cpo_key TEXT NOT NULL,
    cdr_id TEXT NOT NULL,
    cdr_key TEXT NOT NULL,
    revision BIGINT NOT NULL,
    emsp_country_code TEXT NOT NULL,
    emsp_party_id TEXT NOT NULL,
    emsp_key TEXT NOT NULL,
    cpo_platform TEXT NOT NULL,
    emsp_platform TEXT NOT NULL,
    version TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    last_updated BIGINT NOT NULL,
    visible_at BIGINT,
    listed_at BIGINT,
    metering_status TEXT NOT NULL,
    billable BIGINT NOT NULL,
    delivery TEXT NOT NULL,
    location_id TEXT NOT NULL,
    receiver_location TEXT,
    correlation_id TEXT NOT NULL,
    credit_reference TEXT,
    marker TEXT,
    first_answer TEXT
);
CREATE UNIQUE INDEX cdrs_taken_once ON cdrs (cpo_key, cdr_key, revision);
CREATE UNIQUE INDEX cdrs_by_location ON cdrs (location_id);
-- `listed_at` is the later of `last_updated` and `visible_at`, and empty for what no eMSP may list.
CREATE INDEX cdrs_pull ON cdrs (emsp_key, id) WHERE listed_at IS NOT NULL;
CREATE INDEX cdrs_pull_of_one_cpo ON cdrs (emsp_key, cpo_key, id) WHERE listed_at IS NOT NULL;
CREATE INDEX cdrs_pull_since ON cdrs (emsp_key, listed_at, id) WHERE listed_at IS NOT NULL;
CREATE INDEX cdrs_by_delivery ON cdrs (delivery, id);
CREATE INDEX cdrs_by_metering ON cdrs (metering_status, id);

-- The body of a CDR as it was posted.
CREATE TABLE octets (
    cdr TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

-- Verdicts are only added. Their ids begin with the instant of the check, so the order of ids is the order of checks.
CREATE TABLE verdicts (
    id TEXT NOT NULL PRIMARY KEY,
    cdr TEXT NOT NULL,
    report TEXT NOT NULL,
    checked_at BIGINT NOT NULL
);
CREATE INDEX verdicts_of_a_cdr ON verdicts (cdr, id);

-- A signed block serves one CDR per key (design 3.5, "Replay").
CREATE TABLE used_blocks (
    digest TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    cdr TEXT NOT NULL,
    cpo_key TEXT NOT NULL,
    cdr_key TEXT NOT NULL,
    PRIMARY KEY (digest, fingerprint)
);
CREATE INDEX used_blocks_of_a_cdr ON used_blocks (cdr);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    cdr TEXT NOT NULL,
    at BIGINT NOT NULL,
    http_status BIGINT,
    status_code BIGINT,
    outcome TEXT NOT NULL
);
CREATE INDEX attempts_of_a_cdr ON attempts (cdr, id);

-- What is owed: "platform P has not yet seen revision R of object O". `lease_until` 0 is nobody's lease.
CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    platform_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_outcome TEXT
);
CREATE UNIQUE INDEX outbox_owed_once ON outbox (platform_id, kind, object_id);
CREATE INDEX outbox_due ON outbox (state, next_attempt_at, id, lease_until);
CREATE INDEX outbox_leased ON outbox (state, lease_until);
CREATE INDEX outbox_of_an_object ON outbox (object_id);

-- Who sent what when: headers and outcome, never bodies or tokens.
CREATE TABLE journal (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    correlation_id TEXT NOT NULL,
    request_id TEXT,
    from_party TEXT,
    to_party TEXT,
    platform TEXT,
    module TEXT NOT NULL,
    method TEXT NOT NULL,
    object TEXT,
    http_status BIGINT,
    status_code BIGINT,
    outcome TEXT NOT NULL,
    duration_ms BIGINT
);
CREATE INDEX journal_by_correlation ON journal (correlation_id, id);
CREATE INDEX journal_by_object ON journal (object, id) WHERE object IS NOT NULL;
CREATE INDEX journal_by_sender ON journal (from_party, id) WHERE from_party IS NOT NULL;
CREATE INDEX journal_by_receiver ON journal (to_party, id) WHERE to_party IS NOT NULL;
