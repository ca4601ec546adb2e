-- What the hub knows by itself: objects that were broadcast, pulled, or (sessions) routed by content. The order of `id` is the order in
-- which objects came to be known; it stays when an object is replaced. `shelf` says who looks here: the owner of what is for everybody on
-- the other side, the one reader of what is for one. Ids are kept as spelled and, to be found by, folded.
-- `listed` says that its owner has shown it in a list: what was, and is no longer, is gone.
CREATE TABLE mirror (
    id TEXT NOT NULL PRIMARY KEY,
    module TEXT NOT NULL,
    country_code TEXT NOT NULL,
    party_id TEXT NOT NULL,
    owner_key TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_key TEXT NOT NULL,
    shelf TEXT NOT NULL,
    version TEXT NOT NULL,
    last_updated BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    deleted_at BIGINT,
    listed BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX mirror_once ON mirror (module, owner_key, object_key);
CREATE INDEX mirror_by_object ON mirror (module, object_key, owner_key);
-- Pages are found in these alone; the objects are read afterwards, by id.
CREATE INDEX mirror_pages ON mirror (module, id, shelf, last_updated) WHERE deleted_at IS NULL;
CREATE INDEX mirror_pages_of_a_shelf ON mirror (module, shelf, id, last_updated) WHERE deleted_at IS NULL;
CREATE INDEX mirror_since ON mirror (module, shelf, last_updated, id) WHERE deleted_at IS NULL;

-- Broadcasts that were accepted and have not yet reached everybody they were meant for: one row each, written with the object and gone
-- with the last leg. Only the end of a process leaves one behind.
CREATE TABLE copies (
    id TEXT NOT NULL PRIMARY KEY,
    module TEXT NOT NULL,
    owner_key TEXT NOT NULL,
    object_key TEXT NOT NULL,
    revision BIGINT NOT NULL,
    platform_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    sender_role TEXT NOT NULL,
    version TEXT NOT NULL,
    method TEXT NOT NULL,
    tail TEXT NOT NULL,
    query TEXT,
    body TEXT,
    correlation_id TEXT NOT NULL,
    lease_owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX copies_of_an_object ON copies (module, owner_key, object_key, revision);
CREATE INDEX copies_leased ON copies (lease_until);
CREATE INDEX copies_of_a_process ON copies (lease_owner);

-- How far the hub has read what a data owner offers, per platform, module and party. `due_at` is when it looks again.
CREATE TABLE pulls (
    platform_id TEXT NOT NULL,
    module TEXT NOT NULL,
    party_key TEXT NOT NULL,
    url TEXT NOT NULL,
    date_from BIGINT,
    failures BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    last_outcome TEXT,
    ended_at BIGINT,
    PRIMARY KEY (platform_id, module, party_key)
);
