-- In which state a platform was last seen, and since when. CONNECTED and OFFLINE are what `platforms` cannot say: liveness is no
-- change of a registration. A platform without a row is in the state its own row names.
CREATE TABLE presence (
    platform_id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    since BIGINT NOT NULL
);
INSERT INTO presence (platform_id, status, since) SELECT id, status, updated_at FROM platforms;

-- ClientInfo, once per party and role, in the order of creation, never deleted (HCI-03).
CREATE TABLE client_info (
    id TEXT NOT NULL PRIMARY KEY,
    party_key TEXT NOT NULL,
    role TEXT NOT NULL,
    country_code TEXT NOT NULL,
    party_id TEXT NOT NULL,
    status TEXT NOT NULL,
    last_updated BIGINT NOT NULL
);
CREATE UNIQUE INDEX client_info_once ON client_info (party_key, role);

-- What one platform is told about one ClientInfo: agreements make it differ from platform to platform (R-48).
CREATE TABLE client_views (
    platform_id TEXT NOT NULL,
    client_info TEXT NOT NULL,
    status TEXT NOT NULL,
    last_updated BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (platform_id, client_info)
);

-- The platforms that have read the list: from then on they are told of changes.
CREATE TABLE client_readers (
    platform_id TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

-- The revision of the directory that ClientInfo was compared with: the comparison of a revision is committed once.
INSERT INTO revisions (name, value) VALUES ('client_info', -1);

-- A duty to tell a state is replaced by that of a newer state, so there is one (design promise 3).
CREATE UNIQUE INDEX outbox_states ON outbox (platform_id, object_id) WHERE kind = 'clientinfo';

-- The operator's agreements, as one document.
CREATE TABLE agreements (
    name TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Which list of endpoints a platform was told with its last handshake (V-10), and when to try again to tell it the present one.
CREATE TABLE announced (
    platform_id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    failures BIGINT NOT NULL,
    not_before BIGINT NOT NULL
);
