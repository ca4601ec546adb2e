//! How a session is written into its row and read back: parties as `DE/ABC` in the spelling they registered, instants in microseconds.

/// A party.
pub(super) mod party {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::ocpi::ids::PartyId;

    pub(in crate::profiles) fn serialize<S: Serializer>(party: &PartyId, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(party)
    }

    pub(in crate::profiles) fn deserialize<'a, D: Deserializer<'a>>(read: D) -> Result<PartyId, D::Error> {
        PartyId::from_slash(&String::deserialize(read)?).map_err(D::Error::custom)
    }
}

/// A party, or none.
pub(super) mod maybe_party {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ocpi::ids::PartyId;

    pub(in crate::profiles) fn serialize<S: Serializer>(party: &Option<PartyId>, out: S) -> Result<S::Ok, S::Error> {
        party.as_ref().map(PartyId::to_string).serialize(out)
    }

    pub(in crate::profiles) fn deserialize<'a, D: Deserializer<'a>>(read: D) -> Result<Option<PartyId>, D::Error> {
        let text = Option::<String>::deserialize(read)?;
        text.map(|text| PartyId::from_slash(&text))
            .transpose()
            .map_err(D::Error::custom)
    }
}

/// Parties.
pub(super) mod parties {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::ocpi::ids::PartyId;

    pub(in crate::profiles) fn serialize<S: Serializer>(parties: &[PartyId], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(parties.iter().map(PartyId::to_string))
    }

    pub(in crate::profiles) fn deserialize<'a, D: Deserializer<'a>>(read: D) -> Result<Vec<PartyId>, D::Error> {
        let all = Vec::<String>::deserialize(read)?;
        all.iter()
            .map(|text| PartyId::from_slash(text).map_err(D::Error::custom))
            .collect()
    }
}

/// An instant.
pub(super) mod instant {
    use chrono::{DateTime, Utc};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::profiles) fn serialize<S: Serializer>(at: &DateTime<Utc>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(at.timestamp_micros())
    }

    pub(in crate::profiles) fn deserialize<'a, D: Deserializer<'a>>(read: D) -> Result<DateTime<Utc>, D::Error> {
        let at = DateTime::from_timestamp_micros(i64::deserialize(read)?);
        at.ok_or_else(|| D::Error::custom("is no instant"))
    }
}

/// An instant, or none.
pub(super) mod maybe {
    use chrono::{DateTime, Utc};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::profiles) fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, out: S) -> Result<S::Ok, S::Error> {
        at.map(|at| at.timestamp_micros()).serialize(out)
    }

    pub(in crate::profiles) fn deserialize<'a, D: Deserializer<'a>>(
        read: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        let at = Option::<i64>::deserialize(read)?;
        at.map(|at| DateTime::from_timestamp_micros(at).ok_or_else(|| D::Error::custom("is no instant")))
            .transpose()
    }
}
