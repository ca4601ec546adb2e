-- What a CDR would ask the registry for: the names in its octets, folded to letters and digits, and when it charged. With it the few CDRs that
-- a change of the registry is about are found without reading the others. Usually one row for each CDR; one that names several meters has
-- more. CDRs taken before this table are entered by a walk in the background (`walks`).
CREATE TABLE traces (
    cdr TEXT NOT NULL,
    nth BIGINT NOT NULL,
    evse TEXT,
    uid TEXT,
    meter TEXT,
    gateway TEXT,
    fingerprint TEXT,
    began_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (cdr, nth)
);
CREATE INDEX traces_of_an_evse ON traces (evse, ended_at, cdr) WHERE evse IS NOT NULL;
CREATE INDEX traces_of_a_uid ON traces (uid, ended_at, cdr) WHERE uid IS NOT NULL;
CREATE INDEX traces_of_a_meter ON traces (meter, ended_at, cdr) WHERE meter IS NOT NULL;
CREATE INDEX traces_of_a_gateway ON traces (gateway, ended_at, cdr) WHERE gateway IS NOT NULL;
CREATE INDEX traces_of_a_key ON traces (fingerprint, ended_at, cdr) WHERE fingerprint IS NOT NULL;

-- How far a walk over everything there is has come. `rounds` counts how often it has reached the end.
CREATE TABLE walks (
    name TEXT NOT NULL PRIMARY KEY,
    position TEXT NOT NULL,
    rounds BIGINT NOT NULL
);
INSERT INTO walks (name, position, rounds) VALUES ('traces', '', 0);

-- Changes of the registry, each with the CDRs it is about yet to be judged again. `revisions` says up to which place of the
-- registry's log they were queued.
CREATE TABLE rechecks (
    id TEXT NOT NULL PRIMARY KEY,
    change BIGINT NOT NULL,
    subject TEXT NOT NULL,
    affected TEXT NOT NULL,
    pass BIGINT NOT NULL,
    after_end BIGINT NOT NULL,
    after_cdr TEXT NOT NULL,
    checked BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX rechecks_due ON rechecks (due_at, id) WHERE finished_at IS NULL;
INSERT INTO revisions (name, value) SELECT 'rechecks', COALESCE(MAX(seq), 0) FROM registry_log;

-- CDRs whose newest verdict nobody has yet looked through for what casts doubt on others of the same meter.
CREATE TABLE unexamined (
    cdr TEXT NOT NULL PRIMARY KEY
);

-- What casts doubt on earlier values of a meter, to be cleared up by a person (key-registry.md SAF-44).
CREATE TABLE cases (
    id TEXT NOT NULL PRIMARY KEY,
    cpo_key TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    shown_as TEXT NOT NULL,
    last_good TEXT,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT,
    reason TEXT
);
CREATE UNIQUE INDEX cases_open_once ON cases (cpo_key, subject_kind, subject) WHERE closed_at IS NULL;

CREATE TABLE case_findings (
    case_id TEXT NOT NULL,
    cdr TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, cdr, code)
);

CREATE TABLE case_cdrs (
    case_id TEXT NOT NULL,
    cdr TEXT NOT NULL,
    PRIMARY KEY (case_id, cdr)
);
CREATE INDEX case_cdrs_of_a_cdr ON case_cdrs (cdr);

-- A second look at a CDR asks whether a credit CDR took it back.
CREATE INDEX cdrs_crediting ON cdrs (cpo_key, credit_reference) WHERE credit_reference IS NOT NULL;
