//! A meter that signs: it counts, numbers its records, and never tells its private key.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::metering::key::Curve;
use crate::metering::sign::{SigningError, SigningMeter};

/// A calibrated meter at one EVSE.
pub struct SandboxMeter {
    signer: SigningMeter,
    serial: String,
    evse_id: String,
    counters: Mutex<Counters>,
}

/// What goes on between two charges.
struct Counters {
    /// Number of the last record; every record has the next one.
    pagination: u64,
    /// The register in kWh; it only rises.
    register: Decimal,
}

/// One charge, as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Charge {
    /// When energy began to flow.
    pub start: DateTime<Utc>,
    /// When it stopped.
    pub end: DateTime<Utc>,
    /// The energy in kWh.
    pub energy_kwh: Decimal,
    /// What identified the driver: the token's uid.
    pub identification: String,
}

/// One element of `signed_data.signed_values`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedValue {
    /// `Start`, `End`.
    pub nature: String,
    /// The payload in the clear.
    pub plain_data: String,
    /// Base64 of the whole record.
    pub signed_data: String,
}

/// `signed_data` of a CDR.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedSession {
    /// The format's name in OCPI.
    pub encoding_method: String,
    /// Base64 of the public key's SubjectPublicKeyInfo, when it is sent along.
    pub public_key: Option<String>,
    /// The records.
    pub values: Vec<SignedValue>,
}

impl SandboxMeter {
    /// A meter whose key follows from `seed`: the same seed, the same key. For demonstrations and tests only.
    ///
    /// # Errors
    /// On a curve nobody signs on here.
    pub fn from_seed(serial: &str, evse_id: &str, curve: Curve, seed: &[u8]) -> Result<SandboxMeter, SigningError> {
        Ok(SandboxMeter::with(
            SigningMeter::from_seed(curve, seed)?,
            serial,
            evse_id,
        ))
    }

    /// A meter with a key of its own.
    ///
    /// # Errors
    /// On a curve nobody signs on here, and without randomness.
    pub fn generate(serial: &str, evse_id: &str, curve: Curve) -> Result<SandboxMeter, SigningError> {
        Ok(SandboxMeter::with(SigningMeter::generate(curve)?, serial, evse_id))
    }

    fn with(signer: SigningMeter, serial: &str, evse_id: &str) -> SandboxMeter {
        SandboxMeter {
            signer,
            serial: serial.to_owned(),
            evse_id: evse_id.to_owned(),
            counters: Mutex::new(Counters {
                pagination: 0,
                register: Decimal::new(1_204_317, 3),
            }),
        }
    }

    /// The serial number, as in `MS`.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The EVSE it is built into, as in `CI`.
    #[must_use]
    pub fn evse_id(&self) -> &str {
        &self.evse_id
    }

    /// The public key: base64 of its SubjectPublicKeyInfo, the form OCPI asks for.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.signer.public_key().to_spki_der())
    }

    /// Signs a charge as two records, one at the begin and one at the end ("SR" in OCPP's words).
    #[must_use]
    pub fn pair(&self, charge: &Charge) -> SignedSession {
        let mut counters = self.counters();
        let begin_value = counters.register;
        let end_value = begin_value + charge.energy_kwh;
        let begin = self.record("Start", &mut counters, charge, &[("B", charge.start, begin_value)]);
        let end = self.record("End", &mut counters, charge, &[("E", charge.end, end_value)]);
        counters.register = end_value;
        self.session(vec![begin, end])
    }

    /// Signs a charge as one record that holds both readings ("MR").
    #[must_use]
    pub fn single(&self, charge: &Charge) -> SignedSession {
        let mut counters = self.counters();
        let begin_value = counters.register;
        let end_value = begin_value + charge.energy_kwh;
        let readings = [("B", charge.start, begin_value), ("E", charge.end, end_value)];
        let both = self.record("End", &mut counters, charge, &readings);
        counters.register = end_value;
        self.session(vec![both])
    }

    fn session(&self, values: Vec<SignedValue>) -> SignedSession {
        SignedSession {
            encoding_method: "OCMF".to_owned(),
            public_key: Some(self.public_key()),
            values,
        }
    }

    fn record(
        &self,
        nature: &str,
        counters: &mut Counters,
        charge: &Charge,
        readings: &[(&str, DateTime<Utc>, Decimal)],
    ) -> SignedValue {
        counters.pagination += 1;
        let payload = self.payload(counters.pagination, &charge.identification, readings);
        let record = self.signer.ocmf(&payload);
        SignedValue {
            nature: nature.to_owned(),
            plain_data: payload,
            signed_data: STANDARD.encode(record),
        }
    }

    /// An OCMF 1.0 payload with every member of the table that a real meter sends.
    fn payload(&self, pagination: u64, identification: &str, readings: &[(&str, DateTime<Utc>, Decimal)]) -> String {
        let readings: Vec<String> = readings
            .iter()
            .map(|(marker, at, value)| {
                format!(
                    r#"{{"TM":"{} S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","RT":"AC","EF":"","ST":"G"}}"#,
                    at.format("%Y-%m-%dT%H:%M:%S,%3f+0000")
                )
            })
            .collect();
        format!(
            concat!(
                r#"{{"FV":"1.0","GI":"Sandbox gateway","GS":"GW-{serial}","GV":"1.0","PG":"T{pagination}","MV":"Sandbox","MM":"One phase","#,
                r#""MS":{serial_json},"MF":"1.0","IS":true,"IL":"VERIFIED","IF":["RFID_RELATED"],"IT":"ISO14443","ID":{identification},"#,
                r#""CT":"EVSEID","CI":{evse},"RD":[{readings}]}}"#
            ),
            serial = self.serial,
            pagination = pagination,
            serial_json = json_text(&self.serial),
            identification = json_text(identification),
            evse = json_text(&self.evse_id),
            readings = readings.join(","),
        )
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SignedSession {
    /// The same session after somebody changed one digit of the last reading, in the clear and in the record, and kept the signature.
    #[must_use]
    pub fn with_one_digit_changed(mut self) -> SignedSession {
        if let Some(last) = self.values.last_mut() {
            last.plain_data = change_last_reading(&last.plain_data);
            if let Some(record) = STANDARD
                .decode(&last.signed_data)
                .ok()
                .and_then(|octets| String::from_utf8(octets).ok())
            {
                last.signed_data = STANDARD.encode(change_last_reading(&record));
            }
        }
        self
    }

    /// The same session without the key: only a registry can tell whose it is.
    #[must_use]
    pub fn without_key(mut self) -> SignedSession {
        self.public_key = None;
        self
    }
}

/// Replaces the first digit of the last `RV` by another one.
fn change_last_reading(text: &str) -> String {
    const MEMBER: &str = "\"RV\":";
    let mut octets = text.as_bytes().to_vec();
    if let Some(digit) = text.rfind(MEMBER).and_then(|at| octets.get_mut(at + MEMBER.len())) {
        *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// A text as JSON writes it, quotes included.
pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn charge() -> Charge {
        Charge {
            start: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            end: DateTime::from_timestamp(1_700_003_600, 0).unwrap(),
            energy_kwh: Decimal::new(12_345, 3),
            identification: "04A1".to_owned(),
        }
    }

    #[test]
    fn every_record_has_the_next_number_and_the_register_goes_on() {
        let meter = SandboxMeter::from_seed("TW-1", "DE*ABC*E1", Curve::Secp256r1, b"seed").unwrap();
        let first = meter.pair(&charge());
        let second = meter.single(&charge());
        assert!(
            first.values[0].plain_data.contains(r#""PG":"T1""#) && first.values[1].plain_data.contains(r#""PG":"T2""#)
        );
        assert!(first.values[1].plain_data.contains(r#""RV":1216.662"#));
        assert!(second.values[0].plain_data.contains(r#""TX":"B","RV":1216.662"#));
        assert!(second.values[0].plain_data.contains(r#""TX":"E","RV":1229.007"#));
        assert!(serde_json::from_str::<serde_json::Value>(&second.values[0].plain_data).is_ok());
    }

    #[test]
    fn one_changed_digit_is_one_changed_digit_under_the_old_signature() {
        let meter = SandboxMeter::from_seed("TW-1", "DE*ABC*E1", Curve::Secp256r1, b"seed").unwrap();
        let genuine = meter.pair(&charge());
        let forged = genuine.clone().with_one_digit_changed();
        let differing = |a: &str, b: &str| a.bytes().zip(b.bytes()).filter(|(x, y)| x != y).count();
        assert_eq!(
            differing(&genuine.values[1].plain_data, &forged.values[1].plain_data),
            1
        );
        let record = |value: &SignedValue| String::from_utf8(STANDARD.decode(&value.signed_data).unwrap()).unwrap();
        assert_eq!(differing(&record(&genuine.values[1]), &record(&forged.values[1])), 1);
        assert!(genuine.values[0] == forged.values[0]);
    }
}
