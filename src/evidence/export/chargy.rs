//! JSON that Chargy reads. It has no form of its own for the records of others, but takes three that exist:
//!
//! - a document of chargeIT, GraphDefined or the PTB that was carried as such: it leaves as it came;
//! - two OCMF records of a place that is known: the PTB's container, the only one that holds both;
//! - anything else: OCPI's `SignedData` with `placeInfo` beside it. Chargy looks at its first value.

use serde_json::{Map, Value, json};

use super::{Place, Record, RecordText, Session};
use crate::metering::formats::FormatName;
use crate::metering::key::PublicKey;
use crate::metering::reading::exact_decimal;
use crate::metering::record::Nature;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(super) fn write(sessions: &[Session<'_>]) -> String {
    let documents: Vec<String> = sessions.iter().flat_map(documents).collect();
    match documents.as_slice() {
        [only] => format!("{only}\n"),
        several => format!("[{}]\n", several.join(",\n")),
    }
}

/// One document for a session, unless its values are documents themselves.
fn documents(session: &Session<'_>) -> Vec<String> {
    let records = session.records();
    let is_document = |record: &Record| {
        matches!(
            record.format,
            Some(FormatName::ChargeIt | FormatName::GraphDefined | FormatName::Chargy | FormatName::Ptb)
        )
    };
    if !records.is_empty() && records.iter().all(is_document) {
        return records.iter().map(|record| text(record).into_owned()).collect();
    }
    vec![
        ptb(session, &records)
            .unwrap_or_else(|| signed_data(session, &records))
            .to_string(),
    ]
}

/// The container of the PTB: a begin and an end in OCMF, with everything that Chargy insists on.
fn ptb(session: &Session<'_>, records: &[Record]) -> Option<Value> {
    let place = session.place.filter(Place::is_complete)?;
    let [one, other] = records else { return None };
    let (begin, end) = match (one.place()?, other.place()?) {
        (Nature::Start, Nature::End) => (one, other),
        (Nature::End, Nature::Start) => (other, one),
        _ => return None,
    };
    if [begin, end]
        .iter()
        .any(|record| record.format != Some(FormatName::Ocmf))
    {
        return None;
    }
    let key = PublicKey::read(begin.public_key.as_deref()?, None).ok()?;
    Some(json!({
        "format": "ptb",
        "formatVersion": "1.0",
        "publicKey": BASE64_STANDARD.encode(key.to_spki_der()),
        "chargeboxIdentifier": place.evse_id,
        "address": {"street": place.address, "postalCode": place.postal_code, "city": place.city, "country": place.country},
        "geoLocation": {"lat": number(place.latitude)?, "lng": number(place.longitude)?},
        "ocmfBegin": text(begin),
        "ocmfEnd": text(end),
    }))
}

fn signed_data(session: &Session<'_>, records: &[Record]) -> Value {
    let format = records.iter().find_map(|record| record.format);
    let method = match (format, session.encoding_method) {
        (Some(format), _) => format.as_str(),
        (None, given) => given.unwrap_or_default(),
    };
    let values: Vec<Value> = records
        .iter()
        .map(|record| json!({"nature": record.nature, "plain_data": "", "signed_data": text(record)}))
        .collect();
    let mut document = Map::new();
    document.insert("encoding_method".into(), method.into());
    if let Some(key) = records.iter().find_map(|record| record.public_key.clone()) {
        document.insert("public_key".into(), key.into());
    }
    document.insert("signed_values".into(), values.into());
    if let Some(place) = session.place {
        document.insert("placeInfo".into(), place_info(&place));
    }
    document.into()
}

fn place_info(place: &Place<'_>) -> Value {
    let mut info = json!({
        "evseId": place.evse_id,
        "address": {"street": place.address, "zipCode": place.postal_code, "town": place.city, "country": place.country},
    });
    if let (Some(lat), Some(lon)) = (number(place.latitude), number(place.longitude)) {
        info["geoLocation"] = json!({"lat": lat, "lon": lon});
    }
    info
}

impl Place<'_> {
    /// Whether everything is there that the PTB's container must have.
    fn is_complete(&self) -> bool {
        [self.evse_id, self.address, self.city]
            .iter()
            .all(|text| !text.trim().is_empty())
            && number(self.latitude).is_some()
            && number(self.longitude).is_some()
    }
}

/// A decimal number, digit for digit.
fn number(text: &str) -> Option<serde_json::Number> {
    exact_decimal(text)?.to_string().parse().ok()
}

fn text(record: &Record) -> std::borrow::Cow<'_, str> {
    match &record.text {
        RecordText::Text(text) => text.into(),
        RecordText::Binary(octets) => hex::encode_upper(octets).into(),
    }
}
