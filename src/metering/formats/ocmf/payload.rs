//! The first section: what the meter says. Members that are not needed for a verdict are left alone.

use std::borrow::Cow;

use super::Malformed;
use crate::metering::deviation::Deviation;
use crate::metering::formats::signed_record::Pagination;
use crate::metering::json::{Kind, Object, Value};
use crate::metering::reading::{Condition, Marker, Reading, SignedTime};
use crate::metering::record::{Identification, MAX_READINGS};

/// What the payload of a record says (signed-metering-formats.md 5.3). Texts are trimmed; empty ones are `None`.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    /// `FV`, the version of the format.
    pub version: Option<String>,
    /// `PG`, the number of the record.
    pub pagination: Option<Pagination>,
    /// `MS`, the serial number of the meter.
    pub meter_serial: Option<String>,
    /// `GS`, the serial number of the gateway that signs.
    pub gateway_serial: Option<String>,
    /// `IL`; before 0.4 the text in `IS`.
    pub identification_level: Option<String>,
    /// `IT`, the kind of identification.
    pub identification_type: Option<String>,
    /// `ID`, the identification; an empty one says that nobody was identified, which is not the same as saying nothing.
    pub identification: Option<Identification>,
    /// `CT`, the kind of charge point id: `EVSEID` or `CBIDC`.
    pub charge_point_type: Option<String>,
    /// `CI`, the charge point id.
    pub charge_point_id: Option<String>,
    /// `RD`, in the order of the record, inheritance resolved.
    pub readings: Vec<Reading>,
}

/// The published revisions are 0.1 to 1.4.
const NEWEST_VERSION: (u32, u32) = (1, 4);

impl Payload {
    /// Reads the section. Only a record without readings is refused; everything else is judged later, when it matters.
    pub fn read(section: Value<'_>, deviations: &mut Vec<Deviation>) -> Result<Payload, Malformed> {
        let section = &section.object();
        let readings = section
            .get("RD")
            .ok_or(Malformed::Member("the record has no readings (RD)"))?;
        if readings.first_elements(1).is_empty() {
            return Err(Malformed::Member(
                "the readings (RD) are not a list with something in it",
            ));
        }
        let readings = readings.first_elements(MAX_READINGS + 1);
        if readings.len() > MAX_READINGS {
            return Err(Malformed::Member("the record has more readings (RD) than any session"));
        }
        let readings = inherit(readings, deviations)?;
        let mut text = |name| text_member(section, name, deviations);
        let mut payload = Payload {
            meter_serial: text("MS"),
            gateway_serial: text("GS"),
            identification_level: text("IL"),
            identification_type: text("IT"),
            charge_point_type: text("CT"),
            charge_point_id: text("CI"),
            readings,
            ..Payload::default()
        };
        let numbered = text("PG");
        payload.identification =
            raw_text(section, "ID", deviations).map(|id| Identification::new(id.trim().to_owned()));
        if payload.identification_level.is_none() {
            // Before 0.4 the level stood in IS, which is a boolean today.
            payload.identification_level = section
                .get("IS")
                .and_then(Value::text)
                .map(|level| level.trim().to_owned());
        }
        payload.pagination = numbered.as_deref().and_then(Pagination::read);
        if numbered.is_some() && payload.pagination.is_none() {
            deviations.push(Deviation::PaginationUnreadable);
        }
        if payload.meter_serial.is_none() {
            deviations.push(Deviation::MeterSerialAbsent);
        }
        payload.version = version(section, deviations);
        Ok(payload)
    }
}

fn version(section: &Object<'_>, deviations: &mut Vec<Deviation>) -> Option<String> {
    let value = section.get("FV");
    let version = match value.map(Value::kind) {
        Some(Kind::Text) => value.and_then(Value::text).map(|text| text.trim().to_owned()),
        Some(Kind::Number) => {
            deviations.push(Deviation::VersionAsNumber);
            value.and_then(Value::number).map(str::to_owned)
        }
        _ => None,
    };
    let Some(version) = version.filter(|version| !version.is_empty()) else {
        deviations.push(Deviation::VersionAbsent);
        return None;
    };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let numbers = (numbers.next().flatten(), numbers.next().flatten());
    if !matches!(numbers, (Some(major), Some(minor)) if (major, minor) <= NEWEST_VERSION) {
        deviations.push(Deviation::VersionFromTheFuture);
    }
    Some(version)
}

/// Readings with what they inherit. A member that equals the one of the previous reading may be left out, whichever register that reading is of
/// (5.3): `TM TX RI RU RT EF ST`, never the value.
fn inherit(elements: Vec<Value<'_>>, deviations: &mut Vec<Deviation>) -> Result<Vec<Reading>, Malformed> {
    let mut readings: Vec<Reading> = Vec::with_capacity(elements.len());
    let (mut time, mut marker, mut register, mut unit, mut flags, mut status) = (
        None::<String>,
        None,
        None::<String>,
        None::<String>,
        None::<String>,
        None,
    );
    for element in elements {
        if element.kind() != Kind::Object {
            return Err(Malformed::Member("a reading is not an object"));
        }
        let element = &element.object();
        let mut text = |name| raw_text(element, name, deviations);
        time = text("TM").or(time);
        marker = text("TX").or(marker);
        register = text("RI").or(register);
        unit = text("RU").or(unit);
        flags = text("EF").or(flags);
        status = text("ST").or(status);

        let signed_time = SignedTime::read(time.as_deref().unwrap_or_default());
        if signed_time.instant.is_none() {
            note(deviations, Deviation::TimeUnreadable);
        }
        let value = element.get("RV");
        if value.is_some_and(|value| value.kind() == Kind::Text) {
            note(deviations, Deviation::ValueAsText);
        }
        let value_text = value.map(plain).unwrap_or_default().trim().to_owned();
        let flags = flags.as_deref().unwrap_or_default();
        readings.push(Reading {
            marker: marker
                .as_deref()
                .map(str::trim)
                .filter(|marker| !marker.is_empty())
                .map(Marker::read),
            status: status.clone().filter(|status: &String| !status.trim().is_empty()),
            condition: Condition::read(status.as_deref()),
            energy_unusable: flags.contains('E'),
            time_unusable: flags.contains('t'),
            event_counter: element.get("EI").map(|counter| plain(counter).trim().to_owned()),
            ..Reading::plain(
                register.clone().unwrap_or_default(),
                value_text,
                unit.as_deref().unwrap_or_default().trim(),
                signed_time,
            )
        });
    }
    Ok(readings)
}

/// A text member of the record; empty means absent.
fn text_member(section: &Object<'_>, name: &str, deviations: &mut Vec<Deviation>) -> Option<String> {
    raw_text(section, name, deviations)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// A member that should be text. Some gateways write serial numbers as numbers: then their digits are the text.
fn raw_text(object: &Object<'_>, name: &str, deviations: &mut Vec<Deviation>) -> Option<String> {
    let value = object.get(name)?;
    match value.kind() {
        Kind::Text => value.text().map(Cow::into_owned),
        Kind::Number => {
            note(deviations, Deviation::NumberInsteadOfText);
            value.number().map(str::to_owned)
        }
        _ => None,
    }
}

fn plain(value: Value<'_>) -> Cow<'_, str> {
    value.text().unwrap_or(Cow::Borrowed(value.as_written()))
}

fn note(deviations: &mut Vec<Deviation>, deviation: Deviation) {
    if !deviations.contains(&deviation) {
        deviations.push(deviation);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::json;

    fn read(text: &str) -> (Payload, Vec<Deviation>) {
        let mut deviations = Vec::new();
        (
            Payload::read(json::read(text).unwrap(), &mut deviations).unwrap(),
            deviations,
        )
    }

    #[test]
    fn a_reading_inherits_everything_but_its_value_from_the_one_before() {
        let (payload, _) = read(
            r#"{"RD":[{"TM":"2025-05-01T08:00:00,000+0200 S","TX":"B","RV":1,"RI":"1-0:1.8.0","RU":"kWh","EF":"t","ST":"G"},
                      {"RV":2,"RI":"1-0:2.8.0"},{"TX":"E"}]}"#,
        );
        let [first, second, third] = payload.readings.as_slice() else {
            panic!("three readings")
        };
        assert_eq!(
            (&second.marker, &second.unit, second.time_unusable),
            (&Some(Marker::Begin), &first.unit, true)
        );
        assert_eq!(second.time, first.time);
        assert_eq!((third.register.as_str(), third.value), ("1-0:2.8.0", None));
        assert_eq!(third.condition, Condition::Good);
    }

    #[test]
    fn old_versions_carry_the_level_in_is() {
        assert_eq!(
            read(r#"{"FV":"0.1","IS":"INVALID","RD":[{"RV":1}]}"#)
                .0
                .identification_level
                .as_deref(),
            Some("INVALID")
        );
        assert_eq!(
            read(r#"{"FV":"1.0","IS":true,"IL":"NONE","RD":[{"RV":1}]}"#)
                .0
                .identification_level
                .as_deref(),
            Some("NONE")
        );
    }

    #[test]
    fn versions_are_judged_but_never_fatal() {
        assert!(
            read(r#"{"FV":1.0,"RD":[{"RV":1}]}"#)
                .1
                .contains(&Deviation::VersionAsNumber)
        );
        assert!(read(r#"{"RD":[{"RV":1}]}"#).1.contains(&Deviation::VersionAbsent));
        assert!(
            read(r#"{"FV":"2.0","RD":[{"RV":1}]}"#)
                .1
                .contains(&Deviation::VersionFromTheFuture)
        );
        for version in ["0.1", "0.2", "0.3", "0.4", "0.5", "1.0", "1.1", "1.2", "1.3", "1.4"] {
            let (payload, deviations) = read(&format!(r#"{{"FV":"{version}","RD":[{{"RV":1}}]}}"#));
            assert_eq!(payload.version.as_deref(), Some(version));
            assert!(!deviations.contains(&Deviation::VersionFromTheFuture));
        }
    }

    #[test]
    fn record_numbers_are_read_or_leave_no_rule() {
        assert_eq!(
            Pagination::read("T32"),
            Some(Pagination {
                series: 'T',
                number: 32
            })
        );
        for other in ["TRANSACTION-1", "P1", "T", "", "T-1", "T99999999999999999999999"] {
            assert_eq!(Pagination::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_without_readings_is_refused() {
        for payload in ["{}", r#"{"RD":[]}"#, r#"{"RD":{}}"#, r#"{"RD":[1]}"#, r#"{"RD":null}"#] {
            assert!(
                Payload::read(json::read(payload).unwrap(), &mut Vec::new()).is_err(),
                "{payload}"
            );
        }
    }

    #[test]
    fn a_value_that_no_decimal_holds_is_kept_as_text() {
        let (payload, _) = read(r#"{"RD":[{"RV":1e400,"RU":"kWh"},{"RV":null},{"RV":[1]},{"RV":"  7.50 "}]}"#);
        let values: Vec<_> = payload
            .readings
            .iter()
            .map(|reading| reading.value.map(|value| value.to_string()))
            .collect();
        assert_eq!(values, [None, None, None, Some("7.50".to_owned())]);
        assert_eq!(payload.readings[0].value_text, "1e400");
    }
}
