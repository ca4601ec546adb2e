-- What was answered to a request that carried an Idempotency-Key, so that its repeat hears the same. Kept for a week.
CREATE TABLE answers (
    holder TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    status BIGINT NOT NULL,
    location TEXT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (holder, key)
);
CREATE INDEX answers_by_age ON answers (created_at);

-- What a submitter of a registration is to be told, where, and whether it was. `duty` is the row of the outbox, and outlives it here.
CREATE TABLE confirmations (
    duty TEXT NOT NULL PRIMARY KEY,
    registration TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    last_at BIGINT,
    last_outcome TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX confirmations_of_a_registration ON confirmations (registration, duty);

-- Documents laid beside a registration, in Base64. Their SHA-256 stands in the registration, and with it in the log.
CREATE TABLE registry_files (
    registration TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    content TEXT NOT NULL,
    kept_at BIGINT NOT NULL,
    PRIMARY KEY (registration, sha256)
);
