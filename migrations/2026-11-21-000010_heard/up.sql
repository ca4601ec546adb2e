-- Keys and serial numbers that were heard of without a registration: in CDRs, or as a charge point reported them. One row for each of them at
-- each EVSE of an operator, however often it was heard. `evse` is what the row is found by: the EVSE-ID in its canonical spelling, else the
-- operator's own id of it, else nothing.
CREATE TABLE observations (
    id TEXT NOT NULL PRIMARY KEY,
    cpo_key TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    evse TEXT NOT NULL,
    evse_id TEXT,
    evse_uid TEXT,
    public_key TEXT,
    curve TEXT,
    meter_serial TEXT,
    gateway_serial TEXT,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    times BIGINT NOT NULL,
    last_cdr TEXT
);
CREATE UNIQUE INDEX observations_once ON observations (cpo_key, evse, kind, name, source);
CREATE INDEX observations_of_a_cpo ON observations (cpo_key, id);

-- Locations whose octets have the member by which an EVSE claims to be calibrated (`metering_conformity`).
ALTER TABLE mirror ADD COLUMN claims_conformity BIGINT NOT NULL DEFAULT 0;
UPDATE mirror SET claims_conformity = 1 WHERE module = 'locations' AND body LIKE '%"metering_conformity"%';
CREATE INDEX mirror_claiming ON mirror (id) WHERE claims_conformity = 1;
