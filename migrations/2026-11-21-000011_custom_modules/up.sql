-- What a platform is to be told through a custom module of the hub: the message as it stands now. Lives as long as its duty.
CREATE TABLE notices (
    duty TEXT NOT NULL PRIMARY KEY,
    identifier TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    to_party TEXT NOT NULL,
    object TEXT NOT NULL,
    body TEXT NOT NULL
);

-- The ids operators gave to their registrations. `own_key` is the id without case.
CREATE TABLE registration_names (
    cpo_key TEXT NOT NULL,
    own_key TEXT NOT NULL,
    own_id TEXT NOT NULL,
    registration TEXT NOT NULL,
    PRIMARY KEY (cpo_key, own_key)
);
CREATE INDEX registration_names_of_a_registration ON registration_names (registration);

-- Up to where the registry's log was told to partners. What is in it already nobody asked to be told.
INSERT INTO revisions (name, value) SELECT 'publickeys', COALESCE(MAX(seq), 0) FROM registry_log;
