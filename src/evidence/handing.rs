//! Stored CDRs as files for transparency software: which sessions go into one, and under which key.
//!
//! The writing itself is [`export`], a pure function; here a stored CDR becomes a session of it. The octets are those that
//! were posted (key-registry.md CAL-R5), whatever the verdict: a forged record is proof as well.

use serde_json::Value;

use super::claim::Claim;
use super::export::{self, Form, Place, Session};
use super::intake::Intake;
use crate::metering::key::PublicKey;
use crate::parties::Fault;
use crate::store::evidence::CdrRow;

/// The most sessions in one file.
pub const MOST: usize = 5000;

/// A file.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Its octets.
    pub file: Vec<u8>,
    /// How many sessions are in it.
    pub sessions: usize,
    /// How many CDRs had no signed values to hand on.
    pub without: usize,
}

impl Intake {
    /// Writes the proof of these CDRs into one file.
    ///
    /// # Errors
    /// When a verdict cannot be read.
    pub async fn hand_on(&self, cdrs: &[CdrRow], form: Form) -> Result<Handed, Fault> {
        let mut keys = Vec::with_capacity(cdrs.len());
        for cdr in cdrs {
            keys.push(self.registered_key(cdr).await?);
        }
        let claims: Vec<Option<Claim<'_>>> = cdrs.iter().map(|cdr| Claim::read(cdr.body.as_bytes()).ok()).collect();
        let places: Vec<Whereabouts> = cdrs.iter().map(|cdr| Whereabouts::of(&cdr.body)).collect();
        let sessions: Vec<Session<'_>> = claims
            .iter()
            .zip(cdrs)
            .zip(keys.iter().zip(&places))
            .filter_map(|((claim, cdr), (key, place))| {
                let place = place.shown();
                Session::of_cdr(claim.as_ref()?, Some(&cdr.cdr_id), key.as_ref(), Some(place))
            })
            .collect();
        Ok(Handed {
            file: export::write(&sessions, form),
            sessions: sessions.len(),
            without: cdrs.len() - sessions.len(),
        })
    }

    /// The key the verdict in force rests on, where a registry vouches for it.
    async fn registered_key(&self, cdr: &CdrRow) -> Result<Option<PublicKey>, Fault> {
        let newest = self.store().verdict_newest(&cdr.id).await;
        let newest = newest.map_err(|error| Fault::new("reading a verdict", error))?;
        let report: Value = newest
            .and_then(|newest| serde_json::from_str(&newest.report).ok())
            .unwrap_or_default();
        if report["key"]["trust"] != "REGISTERED" {
            return Ok(None);
        }
        let fingerprint = report["key"]["fingerprint"].as_str().unwrap_or_default();
        let index = self.registry().index();
        Ok(index.of_fingerprint(fingerprint).find_map(|one| one.key().cloned()))
    }
}

/// Where a session happened, as the CDR says.
struct Whereabouts([String; 7]);

impl Whereabouts {
    fn of(body: &str) -> Whereabouts {
        let cdr: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |pointer: &str| {
            cdr.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Whereabouts([
            text("/cdr_location/evse_id"),
            text("/cdr_location/address"),
            text("/cdr_location/postal_code"),
            text("/cdr_location/city"),
            text("/cdr_location/country"),
            text("/cdr_location/coordinates/latitude"),
            text("/cdr_location/coordinates/longitude"),
        ])
    }

    fn shown(&self) -> Place<'_> {
        let [evse_id, address, postal_code, city, country, latitude, longitude] = &self.0;
        Place {
            evse_id,
            address,
            postal_code,
            city,
            country,
            latitude,
            longitude,
        }
    }
}
