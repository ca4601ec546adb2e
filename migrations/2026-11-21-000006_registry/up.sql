-- The log of the registry: one line for every change, each naming the one before. See guards.*.sql: nothing here is changed or removed.
CREATE TABLE registry_log (
    seq BIGINT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- What the lines are about. A document is never changed: another version of it is added, with a line of its own.
CREATE TABLE registry_documents (
    seq BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    state TEXT,
    document TEXT NOT NULL
);
CREATE UNIQUE INDEX registry_documents_versions ON registry_documents (kind, id, version);
CREATE INDEX registry_documents_states ON registry_documents (kind, state);

-- Signed words about the log, by its size.
CREATE TABLE registry_checkpoints (
    size BIGINT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);

-- The secret key checkpoints are signed with, where the configuration has none. There is one.
CREATE TABLE registry_signer (
    name TEXT NOT NULL PRIMARY KEY,
    seed TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Registrations made before stay in `keys` and are entered into the log by the first start of the program.
