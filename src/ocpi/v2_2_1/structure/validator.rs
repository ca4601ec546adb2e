//! One walk over a document beside its table.
//!
//! Time grows with the length of the document, memory with nothing but the number of findings, and that is bounded: of each
//! severity the first hundred are kept. Nesting is bounded by the reader of JSON.

use std::borrow::Cow;
use std::fmt::Write;

use super::super::super::fields::{self, Fields};
use super::super::super::json::{JsonError, Walk};
use super::super::super::refusal::{Refusal, Violation};
use super::super::super::{number, time};
use super::grammar::{Cardinality, FIELDS_LIMIT, Field, Kind, Structure};

/// What is wrong with a document, where, and how bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer (RFC 6901) of the member; empty for the document as a whole.
    pub pointer: String,
    /// What is wrong there, without repeating what was found.
    pub reason: String,
    /// Whether the document can be used all the same.
    pub severity: Severity,
}

/// How bad a finding is (D-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// A required member is missing, or a value is not of its type: not to be kept for others.
    Error,
    /// Too long, unknown, oddly written: to be logged.
    Warning,
}

/// The refusal for the first error among the findings: 2001, with pointer and reason. Warnings refuse nothing.
#[must_use]
pub fn first_error(findings: &[Finding]) -> Option<Refusal> {
    findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
        .map(|finding| Violation::new(finding.pointer.clone(), finding.reason.clone()).into())
}

/// Holds a whole object against its table.
///
/// A known member that appears twice is an error, because readers differ in which of the two they believe. The findings are in
/// the order in which a reader meets them; what is missing is noticed at the end of its object.
///
/// # Errors
/// [`JsonError`] when `body` is no JSON, nested too deep, or no object.
pub fn validate(structure: &Structure, body: &[u8]) -> Result<Vec<Finding>, JsonError> {
    run(structure, Scope::Whole, body)
}

/// Holds the body of a PATCH against the table of what it changes.
///
/// Nothing is required but `last_updated`, where the object has one (T-25); what is there is checked as in a whole object, and
/// objects inside are whole. A required field can be changed, not emptied. The rules of the object itself are left to the merged
/// document: half of what they compare may not be here.
///
/// # Errors
/// As [`validate`].
pub fn validate_patch(structure: &Structure, body: &[u8]) -> Result<Vec<Finding>, JsonError> {
    run(structure, Scope::Part, body)
}

fn run(structure: &Structure, scope: Scope, body: &[u8]) -> Result<Vec<Finding>, JsonError> {
    let mut walk = Walk::over(body)?;
    if walk.peek() != Some(b'{') {
        walk.skip()?;
        walk.end()?;
        return Err(JsonError::NotAnObject);
    }
    let mut validator = Validator::default();
    validator.object(&mut walk, structure, scope)?;
    walk.end()?;
    Ok(validator.findings)
}

/// The members of one object that its table knows, as JSON text, for the rules between them.
pub struct Members<'a> {
    fields: &'static [Field],
    values: [Option<&'a str>; FIELDS_LIMIT],
}

impl<'a> Members<'a> {
    fn raw(&self, name: &str) -> Option<&'a str> {
        let index = self.fields.iter().position(|field| field.name == name)?;
        self.values
            .get(index)
            .copied()
            .flatten()
            .filter(|value| *value != "null")
    }

    /// There, and neither null nor an empty list (T-38).
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| {
            let inside = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            inside.is_none_or(|inside| !inside.trim_ascii().is_empty())
        })
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.raw(name) == Some("true")
    }

    pub(super) fn is_false(&self, name: &str) -> bool {
        self.raw(name) == Some("false")
    }

    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        Walk::over_text(self.raw(name)?).string().ok()
    }

    pub(super) fn object<const N: usize>(&self, name: &str, names: [&'static str; N]) -> Option<Fields<'a, N>> {
        Fields::of_text(self.raw(name)?, String::new(), names).ok()
    }

    /// The elements of a list that are objects.
    pub(super) fn objects<const N: usize>(&self, name: &str, names: [&'static str; N]) -> Vec<Fields<'a, N>> {
        let elements = self
            .raw(name)
            .and_then(|list| fields::elements(list, "").ok())
            .unwrap_or_default();
        elements
            .into_iter()
            .filter_map(|element| Fields::of_text(element, String::new(), names).ok())
            .collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Whole,
    Part,
}

#[derive(Clone, Copy)]
enum Step {
    Member(&'static str),
    Element(usize),
}

/// Of each severity. A document with more is wrong as a whole, and its author has enough to begin with.
const FINDINGS_LIMIT: usize = 100;

#[derive(Default)]
struct Validator {
    /// Where we are. Only a finding turns it into text.
    path: Vec<Step>,
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Validator {
    fn object(&mut self, walk: &mut Walk<'_>, structure: &Structure, scope: Scope) -> Result<(), JsonError> {
        if walk.peek() != Some(b'{') {
            self.error("must be an object");
            return walk.skip();
        }
        let mut members = Members {
            fields: structure.fields,
            values: [None; FIELDS_LIMIT],
        };
        walk.object(|walk, name| {
            let Some((index, field)) = structure.find(&name) else {
                return walk.skip();
            };
            self.path.push(Step::Member(field.name));
            let start = walk.at();
            let twice = members.values.get(index).is_some_and(Option::is_some);
            if twice {
                self.error("appears twice");
                walk.skip()?;
            } else {
                self.member(walk, field, scope)?;
            }
            if let Some(slot) = members.values.get_mut(index) {
                *slot = Some(walk.since(start));
            }
            self.path.pop();
            Ok(())
        })?;

        for field in structure.fields {
            let required = match scope {
                Scope::Whole => field.cardinality.is_required(),
                // An empty required field has been noticed where it stands.
                Scope::Part => field.name == "last_updated" && field.cardinality.is_required(),
            };
            if required && members.raw(field.name).is_none() {
                self.at(field.name, Severity::Error, "is missing");
            }
        }
        if scope == Scope::Whole {
            for rule in structure.rules {
                if (rule.broken)(&members) {
                    self.at(rule.field, rule.severity, rule.reason);
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, walk: &mut Walk<'_>, field: &'static Field, scope: Scope) -> Result<(), JsonError> {
        if walk.peek() == Some(b'n') {
            walk.skip()?;
            // In a whole object it counts as missing, in a PATCH it would take a required value away. Without last_updated
            // the PATCH is missing it anyway.
            if scope == Scope::Part && field.cardinality.is_required() && field.name != "last_updated" {
                self.error("is required and cannot be null");
            }
            return Ok(());
        }
        if !field.cardinality.is_list() {
            return self.value(walk, field);
        }
        if walk.peek() != Some(b'[') {
            self.error("must be a list");
            return walk.skip();
        }
        let mut count = 0;
        walk.array(|walk| {
            self.path.push(Step::Element(count));
            count += 1;
            self.value(walk, field)?;
            self.path.pop();
            Ok(())
        })?;
        if count == 0 && field.cardinality == Cardinality::OneOrMore {
            self.error("must have at least one element");
        }
        Ok(())
    }

    /// One value that is no list.
    fn value(&mut self, walk: &mut Walk<'_>, field: &'static Field) -> Result<(), JsonError> {
        match &field.kind {
            Kind::Anything => walk.skip(),
            Kind::Object(structure) => self.object(walk, structure, Scope::Whole),
            Kind::Bool => {
                if !matches!(walk.peek(), Some(b't' | b'f')) {
                    self.error("must be true or false");
                }
                walk.skip()
            }
            Kind::Number | Kind::Integer | Kind::Digits(_) => self.number(walk, field),
            Kind::CiString(_) | Kind::Text(_) | Kind::LongText | Kind::Url | Kind::DateTime | Kind::OneOf(_) => {
                self.string(walk, field)
            }
        }
    }

    fn number(&mut self, walk: &mut Walk<'_>, field: &'static Field) -> Result<(), JsonError> {
        if !matches!(walk.peek(), Some(b'-' | b'0'..=b'9')) {
            self.error("must be a number");
            return walk.skip();
        }
        let text = walk.number()?;
        let Ok(value) = number::decimal(text) else {
            self.warning("has more digits than can be calculated with exactly");
            return Ok(());
        };
        let value = value.normalize();
        match field.kind {
            Kind::Number if field.shape.is_none() && value.scale() > 4 => self.warning("has more than 4 decimals"),
            Kind::Number => {}
            _ if value.scale() > 0 => self.error("must be a whole number"),
            _ if text.contains(['.', 'e', 'E']) => self.warning("is a whole number written like another"),
            Kind::Digits(most) if text.trim_start_matches('-').len() > most => {
                self.warning(format!("has more than {most} digits"));
            }
            _ => {}
        }
        self.shape(field, text);
        Ok(())
    }

    fn string(&mut self, walk: &mut Walk<'_>, field: &'static Field) -> Result<(), JsonError> {
        if walk.peek() != Some(b'"') {
            self.error("must be a string");
            return walk.skip();
        }
        let text = walk.string()?;
        if let Kind::DateTime = field.kind {
            match time::parse(&text) {
                Err(error) => self.error(error.to_string()),
                Ok(_) if text.len() > 25 => self.warning("is longer than 25 characters"),
                Ok(_) => {}
            }
            return Ok(());
        }
        if let Kind::OneOf(known) = field.kind {
            if !known.open && !known.values.contains(&text.as_ref()) {
                self.warning(format!("is no {} of OCPI 2.2.1", known.name));
            }
            return Ok(());
        }
        // "No data available" is neither too long nor of the wrong shape anywhere (T-37).
        if text == "#NA" {
            return Ok(());
        }
        if text.chars().any(char::is_control) {
            self.warning("contains a control character");
        } else if matches!(field.kind, Kind::CiString(_)) && !text.is_ascii() {
            self.warning("may only contain printable ASCII characters");
        }
        let most = match field.kind {
            Kind::CiString(most) | Kind::Text(most) => most,
            Kind::LongText => usize::MAX,
            _ => 255,
        };
        // Bytes first: most texts are far from their limit and need not be counted.
        if text.len() > most && text.chars().count() > most {
            self.warning(format!("is longer than {most} characters"));
        } else {
            self.shape(field, &text);
        }
        Ok(())
    }

    fn shape(&mut self, field: &'static Field, text: &str) {
        if let Some(shape) = field.shape.filter(|shape| !(shape.fits)(text)) {
            self.warning(shape.reason);
        }
    }

    fn error(&mut self, reason: impl Into<String>) {
        self.at("", Severity::Error, reason);
    }

    fn warning(&mut self, reason: impl Into<String>) {
        self.at("", Severity::Warning, reason);
    }

    /// A finding at a field of the object we are in, or, without a name, right here.
    fn at(&mut self, field: &str, severity: Severity, reason: impl Into<String>) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count == FINDINGS_LIMIT {
            return;
        }
        *count += 1;
        let mut pointer = String::new();
        // Writing into a string cannot fail. Names of fields need no escaping.
        for step in &self.path {
            let _ = match step {
                Step::Member(name) => write!(pointer, "/{name}"),
                Step::Element(index) => write!(pointer, "/{index}"),
            };
        }
        if !field.is_empty() {
            let _ = write!(pointer, "/{field}");
        }
        self.findings.push(Finding {
            pointer,
            reason: reason.into(),
            severity,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::*;
    use super::*;

    fn connector() -> Value {
        json!({
            "id": "1", "standard": "IEC_62196_T2", "format": "CABLE", "power_type": "AC_3_PHASE", "max_voltage": 230,
            "max_amperage": 16, "tariff_ids": null, "last_updated": "2026-11-21T10:00:00Z"
        })
    }

    fn location() -> Value {
        json!({
            "country_code": "NL", "party_id": "TNM", "id": "L1", "publish": true, "address": "Dam 1", "city": "Amsterdam",
            "country": "NLD", "coordinates": {"latitude": "52.370216", "longitude": "4.895168"},
            "evses": [{"uid": "E1", "status": "AVAILABLE", "connectors": [connector()], "last_updated": "2026-11-21T10:00:00"}],
            "time_zone": "Europe/Amsterdam", "last_updated": "2026-11-21T11:00:00+01:00", "vendor": {"id": 1}
        })
    }

    fn token() -> Value {
        json!({
            "country_code": "DE", "party_id": "EMS", "uid": "U1", "type": "RFID", "contract_id": "C1", "issuer": "EMS",
            "valid": true, "whitelist": "ALWAYS", "last_updated": "2026-11-21T10:00:00Z"
        })
    }

    fn cdr() -> Value {
        json!({
            "country_code": "NL", "party_id": "TNM", "id": "C1", "start_date_time": "1970-1-1", "end_date_time": "1970-01-01",
            "cdr_token": {"country_code": "DE", "party_id": "EMS", "uid": "U1", "type": "RFID", "contract_id": "C1"},
            "auth_method": "WHITELIST",
            "cdr_location": {
                "id": "L1", "address": "Dam 1", "city": "Amsterdam", "country": "NLD",
                "coordinates": {"latitude": "52.370216", "longitude": "4.895168"},
                "evse_uid": "#NA", "evse_id": "#NA", "connector_id": "#NA", "connector_standard": "IEC_62196_T2",
                "connector_format": "CABLE", "connector_power_type": "DC"
            },
            "currency": "EUR",
            "charging_periods": [{"start_date_time": "2026-11-21T10:00:00Z", "dimensions": [{"type": "TIME", "volume": 1}]}],
            "total_cost": {"excl_vat": 1.5}, "total_energy": 10.1234, "total_time": 1, "last_updated": "2026-11-21T10:00:00Z"
        })
    }

    fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent).unwrap() {
            Value::Array(elements) => elements[member.parse::<usize>().unwrap()] = value,
            object => object[member] = value,
        }
        body
    }

    fn shown(findings: Vec<Finding>) -> Vec<String> {
        findings
            .into_iter()
            .map(|finding| {
                let mark = match finding.severity {
                    Severity::Error => "!",
                    Severity::Warning => "?",
                };
                format!("{mark}{}: {}", finding.pointer, finding.reason)
            })
            .collect()
    }

    fn findings(structure: &Structure, body: &Value) -> Vec<String> {
        shown(validate(structure, body.to_string().as_bytes()).unwrap())
    }

    // T-37, T-38, T-40, T-44, CDR-17
    #[test]
    fn what_the_specification_allows_is_no_finding() {
        for (structure, body) in [
            (&LOCATION, location()),
            (&CONNECTOR, connector()),
            (&TOKEN, token()),
            (&CDR, cdr()),
        ] {
            assert_eq!(findings(structure, &body), [""; 0], "{}", structure.name);
        }
    }

    // T-23, T-38, D-05
    #[test]
    fn every_required_field_is_missed_by_its_pointer_whether_absent_or_null() {
        for (structure, body) in [
            (&LOCATION, location()),
            (&CONNECTOR, connector()),
            (&TOKEN, token()),
            (&CDR, cdr()),
        ] {
            for field in structure.fields.iter().filter(|field| field.cardinality.is_required()) {
                let missing = [format!("!/{}: is missing", field.name)];
                let mut without = body.clone();
                without.as_object_mut().unwrap().remove(field.name).unwrap();
                assert_eq!(findings(structure, &without), missing);
                let null = changed(body.clone(), &format!("/{}", field.name), Value::Null);
                assert_eq!(findings(structure, &null), missing);
            }
        }
        let deep = changed(location(), "/evses/0/connectors/0/max_voltage", Value::Null);
        assert_eq!(
            findings(&LOCATION, &deep),
            ["!/evses/0/connectors/0/max_voltage: is missing"]
        );
    }

    // D-05, D-08, T-45
    #[test]
    fn a_value_of_another_type_is_an_error() {
        for (structure, body, pointer, value, reason) in [
            (
                &LOCATION,
                location(),
                "/publish",
                json!("true"),
                "must be true or false",
            ),
            (&LOCATION, location(), "/id", json!(1), "must be a string"),
            (&LOCATION, location(), "/coordinates", json!([]), "must be an object"),
            (&LOCATION, location(), "/evses", json!({}), "must be a list"),
            (&LOCATION, location(), "/evses/0", Value::Null, "must be an object"),
            (
                &LOCATION,
                location(),
                "/evses/0/connectors",
                json!([]),
                "must have at least one element",
            ),
            (&LOCATION, location(), "/evses/0/status", json!(7), "must be a string"),
            (
                &CONNECTOR,
                connector(),
                "/max_voltage",
                json!("230"),
                "must be a number",
            ),
            (
                &CONNECTOR,
                connector(),
                "/max_voltage",
                json!(230.5),
                "must be a whole number",
            ),
            (&CONNECTOR, connector(), "/tariff_ids", json!("11"), "must be a list"),
            (&CDR, cdr(), "/total_energy", json!("10"), "must be a number"),
            (
                &CDR,
                cdr(),
                "/start_date_time",
                json!("2026-11-21"),
                "is no RFC 3339 date and time such as 2026-11-21T10:00:00Z",
            ),
            (&CDR, cdr(), "/last_updated", json!(1_700_000_000), "must be a string"),
        ] {
            assert_eq!(
                findings(structure, &changed(body, pointer, value)),
                [format!("!{pointer}: {reason}")]
            );
        }
        let twice = br#"{"allowed":"ALLOWED","x":1,"x":2,"allowed":"ALLOWED"}"#;
        let found = shown(validate(&AUTHORIZATION_INFO, twice).unwrap());
        assert_eq!(found, ["!/allowed: appears twice", "!/token: is missing"]);
    }

    // D-05, T-41, F-14, LOC-15, LOC-16
    #[test]
    fn what_is_too_long_unknown_or_odd_is_a_warning() {
        for (structure, body, pointer, value, reason) in [
            (
                &LOCATION,
                location(),
                "/id",
                json!("x".repeat(37)),
                "is longer than 36 characters",
            ),
            (
                &LOCATION,
                location(),
                "/id",
                json!("Ä"),
                "may only contain printable ASCII characters",
            ),
            (
                &LOCATION,
                location(),
                "/city",
                json!("a\tb"),
                "contains a control character",
            ),
            (
                &LOCATION,
                location(),
                "/city",
                json!("ä".repeat(46)),
                "is longer than 45 characters",
            ),
            (
                &LOCATION,
                location(),
                "/country",
                json!("NL"),
                "is no alpha-3 country code",
            ),
            (
                &LOCATION,
                location(),
                "/country_code",
                json!("N1"),
                "is no alpha-2 country code",
            ),
            (
                &LOCATION,
                location(),
                "/coordinates/latitude",
                json!("52.1"),
                "is no latitude such as 52.370216",
            ),
            (
                &LOCATION,
                location(),
                "/coordinates/longitude",
                json!("1234.12345"),
                "is no longitude such as 4.895168",
            ),
            (
                &LOCATION,
                location(),
                "/evses/0/status",
                json!("available"),
                "is no Status of OCPI 2.2.1",
            ),
            (
                &CONNECTOR,
                connector(),
                "/max_voltage",
                json!(2.3e2),
                "is a whole number written like another",
            ),
            (&CDR, cdr(), "/total_energy", json!(1.23456), "has more than 4 decimals"),
            (
                &CDR,
                cdr(),
                "/last_updated",
                json!("2026-11-21T10:00:00.123456Z"),
                "is longer than 25 characters",
            ),
        ] {
            let found = findings(structure, &changed(body, pointer, value));
            assert_eq!(found, [format!("?{pointer}: {reason}")]);
        }
        let fitting = changed(location(), "/city", json!("ä".repeat(45)));
        assert_eq!(findings(&LOCATION, &fitting), [""; 0]);
        // U-09: modules of one's own are nobody's mistake.
        let custom = json!({"identifier": "nltnm-tokens", "role": "SENDER", "url": "https://x.example/"});
        assert_eq!(findings(&ENDPOINT, &custom), [""; 0]);
    }

    // LOC-15, LOC-16
    #[test]
    fn coordinates_and_time_zones_are_held_to_their_form_at_both_ends() {
        let at = |pointer: &str, text: &str| findings(&LOCATION, &changed(location(), pointer, json!(text)));
        let odd = |pointer: &str, reason: &str| [format!("?{pointer}: {reason}")];
        let (latitude, longitude) = ("/coordinates/latitude", "/coordinates/longitude");
        for good in ["0.00000", "-5.12345", "52.1234567"] {
            assert_eq!((at(latitude, good), at(longitude, good)), (vec![], vec![]), "{good}");
        }
        assert_eq!(at(longitude, "-179.123456"), [""; 0]);
        for bad in [
            "",
            "52",
            "52.1234",
            "2.12345678",
            "+52.12345",
            "--5.12345",
            ".12345",
            "52,12345",
            "52.12345 ",
            "5e1.12345",
        ] {
            assert_eq!(
                at(latitude, bad),
                odd(latitude, "is no latitude such as 52.370216"),
                "{bad}"
            );
            assert_eq!(
                at(longitude, bad),
                odd(longitude, "is no longitude such as 4.895168"),
                "{bad}"
            );
        }
        assert_eq!(at(latitude, "152.12345").len(), 1, "three digits are for longitudes");
        assert_eq!(at(longitude, "1152.12345").len(), 1);
        for good in [
            "Europe/Oslo",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT+1",
            "UTC",
            "America/Port-au-Prince",
        ] {
            assert_eq!(at("/time_zone", good), [""; 0], "{good}");
        }
        for bad in [
            "",
            "+01:00",
            "Europe/",
            "/Oslo",
            "Mitteleuropa (Sommer)",
            "Europe//Oslo",
            "CET, CEST",
        ] {
            assert_eq!(
                at("/time_zone", bad),
                odd("/time_zone", "is no time zone such as Europe/Oslo"),
                "{bad}"
            );
        }
    }

    // CDR-10, CDR-14
    #[test]
    fn a_cdr_has_an_id_of_its_length_and_periods_with_something_in_them() {
        let credit = |length: usize| {
            let body = changed(cdr(), "/id", json!("x".repeat(length)));
            let body = changed(
                changed(body, "/credit", json!(true)),
                "/total_cost/excl_vat",
                json!(-1.5),
            );
            findings(&CDR, &changed(body, "/credit_reference_id", json!("C0")))
        };
        assert_eq!((credit(36), credit(39)), (vec![], vec![]));
        assert_eq!(credit(40), ["?/id: is longer than 39 characters"]);
        let empty = "must have at least one element";
        let none = changed(cdr(), "/charging_periods", json!([]));
        assert_eq!(findings(&CDR, &none), [format!("!/charging_periods: {empty}")]);
        let hollow = changed(cdr(), "/charging_periods/0/dimensions", json!([]));
        assert_eq!(
            findings(&CDR, &hollow),
            [format!("!/charging_periods/0/dimensions: {empty}")]
        );
        for kind in ["CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"] {
            let body = changed(cdr(), "/charging_periods/0/dimensions/0/type", json!(kind));
            assert_eq!(
                findings(&CDR, &body),
                ["?/charging_periods: has a dimension that is for sessions only"]
            );
        }
        for kind in [
            "ENERGY",
            "MAX_CURRENT",
            "MIN_CURRENT",
            "MAX_POWER",
            "MIN_POWER",
            "PARKING_TIME",
            "RESERVATION_TIME",
            "TIME",
        ] {
            let body = changed(cdr(), "/charging_periods/0/dimensions/0/type", json!(kind));
            assert_eq!(findings(&CDR, &body), [""; 0], "{kind}");
        }
    }

    // CP-14
    #[test]
    fn a_charging_profile_is_in_watts_or_amperes_with_one_decimal_at_most() {
        let profile = json!({"charging_rate_unit": "A", "min_charging_rate": 6.5,
            "charging_profile_period": [{"start_period": 0, "limit": 16.5}, {"start_period": 300, "limit": 6}]});
        assert_eq!(findings(&CHARGING_PROFILE, &profile), [""; 0]);
        for (pointer, value, expected) in [
            (
                "/min_charging_rate",
                json!(6.25),
                "?/min_charging_rate: has more than one decimal",
            ),
            (
                "/charging_profile_period/1/limit",
                json!(6.25),
                "?/charging_profile_period/1/limit: has more than one decimal",
            ),
            (
                "/charging_rate_unit",
                json!("kW"),
                "?/charging_rate_unit: is no ChargingRateUnit of OCPI 2.2.1",
            ),
            (
                "/charging_profile_period/0/start_period",
                json!(0.5),
                "!/charging_profile_period/0/start_period: must be a whole number",
            ),
            (
                "/charging_profile_period/0/limit",
                json!("16"),
                "!/charging_profile_period/0/limit: must be a number",
            ),
        ] {
            assert_eq!(
                findings(&CHARGING_PROFILE, &changed(profile.clone(), pointer, value)),
                [expected]
            );
        }
    }

    // LOC-12, LOC-17, LOC-20, CDR-09, CDR-10, CDR-14, TAR-09, TOK-06, CMD-15, CP-06, CP-14, OBJ-07, OBJ-18, TAR-08
    #[test]
    fn every_rule_between_fields_is_noticed_when_broken_and_silent_when_kept() {
        let tariff_element = |kind: &str, reservation: Value| json!({"price_components": [{"type": kind, "price": 1, "step_size": 1}], "restrictions": {"reservation": reservation}});
        let start = |more: Value| {
            let mut body = json!({"response_url": "https://x.example/", "token": token(), "location_id": "L1"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let hours = |begin: &str, end: &str| json!({"weekday": 1, "period_begin": begin, "period_end": end});
        let role = |party: &str| json!({"role": "CPO", "party_id": party, "country_code": "NL", "business_details": {"name": "x"}});
        let platform =
            |parties: [&str; 2]| json!({"token": "t", "url": "https://x.example/", "roles": parties.map(role)});
        let mix = |share: f64| json!({"is_green_energy": true, "energy_sources": [{"source": "SOLAR", "percentage": share}, {"source": "WIND", "percentage": 0.1}]});
        let credit = |reference: Value, cost: f64| {
            let mut body = cdr();
            body["credit"] = json!(true);
            body["credit_reference_id"] = reference;
            body["total_cost"]["excl_vat"] = json!(cost);
            body
        };
        let dimension = |kind: &str| changed(cdr(), "/charging_periods/0/dimensions/0/type", json!(kind));
        let profile = json!({"start_date_time": "2026-11-21T10:00:00Z", "charging_profile": {"charging_rate_unit": "W", "charging_profile_period": []}});
        let allowed = |word: &str| json!({"allowed": word, "token": token(), "location": {"location_id": "L1"}});
        let published = |publish: bool| {
            let mut body = location();
            body["publish"] = json!(publish);
            body["publish_allowed_to"] = json!([{"uid": "1", "type": "RFID"}]);
            body
        };
        let limit = |limit: f64| json!({"start_period": 0, "limit": limit});
        let restricted = |time: &str, date: &str| json!({"start_time": time, "end_date": date});

        for (structure, kept, broken, expected) in [
            (
                &LOCATION,
                published(false),
                published(true),
                "?/publish_allowed_to: is only for a location that is not published",
            ),
            (
                &PUBLISH_TOKEN_TYPE,
                json!({"group_id": "g"}),
                json!({"issuer": "x"}),
                "!: has neither uid nor visual_number nor group_id",
            ),
            (
                &PUBLISH_TOKEN_TYPE,
                json!({"uid": "1", "type": "RFID"}),
                json!({"uid": "1"}),
                "!/type: is missing where uid is given",
            ),
            (
                &PUBLISH_TOKEN_TYPE,
                json!({"visual_number": "1", "issuer": "x"}),
                json!({"visual_number": "1"}),
                "!/issuer: is missing where visual_number is given",
            ),
            (
                &HOURS,
                json!({"twentyfourseven": false, "regular_hours": [hours("08:00", "18:00")]}),
                json!({"twentyfourseven": false, "regular_hours": [ ]}),
                "!/regular_hours: is missing where twentyfourseven is false",
            ),
            (
                &HOURS,
                json!({"twentyfourseven": true, "regular_hours": []}),
                json!({"twentyfourseven": true, "regular_hours": [hours("08:00", "18:00")]}),
                "?/regular_hours: is given although twentyfourseven is true",
            ),
            (
                &REGULAR_HOURS,
                hours("08:00", "23:59"),
                hours("08:00", "08:00"),
                "?/period_end: is not later than period_begin",
            ),
            (
                &REGULAR_HOURS,
                hours("00:00", "18:00"),
                hours("00:00", "24:00"),
                "?/period_end: is no time of day such as 17:30",
            ),
            (
                &REGULAR_HOURS,
                hours("00:00", "18:00"),
                changed(hours("00:00", "18:00"), "/weekday", json!(0)),
                "?/weekday: is no day from 1 to 7",
            ),
            (
                &ENERGY_MIX,
                mix(99.9),
                mix(99.8),
                "?/energy_sources: does not add up to 100 percent",
            ),
            (
                &CDR,
                credit(json!("C0"), -1.5),
                credit(Value::Null, -1.5),
                "!/credit_reference_id: is missing in a credit CDR",
            ),
            (
                &CDR,
                credit(json!("C0"), 0.0),
                credit(json!("C0"), 1.5),
                "?/total_cost: is positive in a credit CDR",
            ),
            (
                &CDR,
                changed(cdr(), "/id", json!("x".repeat(36))),
                changed(cdr(), "/id", json!("x".repeat(37))),
                "?/id: is longer than 36 characters, which is for credit CDRs",
            ),
            (
                &CDR,
                dimension("MAX_CURRENT"),
                dimension("STATE_OF_CHARGE"),
                "?/charging_periods: has a dimension that is for sessions only",
            ),
            (
                &TARIFF_ELEMENT,
                tariff_element("FLAT", json!("RESERVATION")),
                tariff_element("ENERGY", json!("RESERVATION")),
                "?/price_components: prices a reservation by something else than FLAT and TIME",
            ),
            (
                &TARIFF_RESTRICTIONS,
                restricted("23:59", "2026-12-31"),
                restricted("2:00", "2026-12-31"),
                "?/start_time: is no time of day such as 17:30",
            ),
            (
                &TARIFF_RESTRICTIONS,
                restricted("23:59", "1999-01-01"),
                restricted("23:59", "2026-13-31"),
                "?/end_date: is no date such as 2026-11-21",
            ),
            (
                &AUTHORIZATION_INFO,
                allowed("ALLOWED"),
                allowed("BLOCKED"),
                "?/location: is only for an answer that allows charging",
            ),
            (
                &START_SESSION,
                start(json!({"evse_uid": "E1", "connector_id": "1"})),
                start(json!({"connector_id": "1"})),
                "!/evse_uid: is missing where connector_id is given",
            ),
            (
                &ACTIVE_CHARGING_PROFILE_RESULT,
                json!({"result": "ACCEPTED", "profile": profile}),
                json!({"result": "REJECTED", "profile": profile}),
                "?/profile: is only for the result ACCEPTED",
            ),
            (
                &CHARGING_PROFILE_PERIOD,
                limit(11.5),
                limit(11.55),
                "?/limit: has more than one decimal",
            ),
            (
                &CREDENTIALS,
                platform(["TNM", "TNX"]),
                platform(["TNM", "tnm"]),
                "!/roles: names the same role of the same party twice",
            ),
        ] {
            assert_eq!(findings(structure, &kept), [""; 0], "{expected}");
            assert_eq!(findings(structure, &broken), [expected]);
        }
    }

    // T-24, T-25
    #[test]
    fn a_patch_needs_its_time_and_nothing_else_but_what_is_there_must_fit() {
        let patch =
            |structure: &Structure, body: Value| shown(validate_patch(structure, body.to_string().as_bytes()).unwrap());
        for structure in [&LOCATION, &EVSE, &CONNECTOR, &SESSION, &TOKEN] {
            assert_eq!(
                patch(structure, json!({"last_updated": "2026-11-21T10:00:00Z"})),
                [""; 0]
            );
            assert_eq!(patch(structure, json!({})), ["!/last_updated: is missing"]);
            assert_eq!(
                patch(structure, json!({"last_updated": null})),
                ["!/last_updated: is missing"]
            );
        }
        let time = "2026-11-21T10:00:00Z";
        assert_eq!(
            patch(
                &EVSE,
                json!({"status": null, "floor_level": null, "connectors": [], "last_updated": time})
            ),
            [
                "!/connectors: must have at least one element",
                "!/status: is required and cannot be null"
            ]
        );
        assert_eq!(
            patch(
                &LOCATION,
                json!({"last_updated": time, "coordinates": {"latitude": "52.370216"}, "name": 1})
            ),
            ["!/coordinates/longitude: is missing", "!/name: must be a string"]
        );
    }

    #[test]
    fn the_refusal_names_the_first_error_and_no_warning() {
        let body = changed(changed(location(), "/country", json!("NL")), "/city", json!(1));
        let found = validate(&LOCATION, body.to_string().as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        let refusal = first_error(&found).unwrap();
        assert_eq!(
            (refusal.code().0, refusal.message.as_str()),
            (2001, "/city: must be a string")
        );
        assert_eq!(first_error(&found[1..]), None);
    }

    // T-22
    #[test]
    fn what_is_no_json_or_no_object_is_not_validated() {
        assert_eq!(validate(&LOCATION, b"[]"), Err(JsonError::NotAnObject));
        assert_eq!(validate(&LOCATION, b"[1"), Err(JsonError::Syntax(2)));
        assert_eq!(validate(&LOCATION, b"{\"evses\":[{]}"), Err(JsonError::Syntax(11)));
        assert_eq!(validate(&LOCATION, b"{} x"), Err(JsonError::Syntax(3)));
        let deep = format!("{{\"x\":{}", "[".repeat(200_000));
        assert_eq!(validate(&LOCATION, deep.as_bytes()), Err(JsonError::TooDeep));
    }

    #[test]
    fn a_document_with_a_million_mistakes_gets_a_hundred_findings_of_each_kind() {
        let body = format!("{{\"evses\":[{}{{}}]}}", "{\"uid\":\"\\u0007\"},".repeat(200_000));
        let found = validate(&LOCATION, body.as_bytes()).unwrap();
        let errors = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        assert_eq!((errors, found.len()), (100, 200));
    }

    #[test]
    fn every_table_fits_into_the_reader_and_its_rules_name_its_fields() {
        for structure in STRUCTURES {
            assert!(structure.fields.len() <= FIELDS_LIMIT, "{}", structure.name);
            for rule in structure.rules {
                assert!(
                    rule.field.is_empty() || structure.find(rule.field).is_some(),
                    "{rule:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_validator_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64), which in 0..STRUCTURES.len(),
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let _ = (validate(STRUCTURES[which], &bytes), validate_patch(STRUCTURES[which], &bytes));
            for (structure, body) in [(&LOCATION, location()), (&CDR, cdr()), (&TOKEN, token())] {
                let mut damaged = body.to_string().into_bytes();
                let at = at.index(damaged.len());
                damaged[at] = byte;
                let _ = (validate(structure, &damaged), validate_patch(STRUCTURES[which], &damaged));
                damaged.truncate(at);
                prop_assert!(validate(structure, &damaged).is_err());
            }
        }

        // T-40
        #[test]
        fn unknown_members_never_matter(name in "x[a-z]{0,8}", value in prop_oneof![Just(json!(null)), Just(json!([[{}]])), Just(json!({"id": 1}))]) {
            let mut body = location();
            body[&name] = value.clone();
            body["coordinates"][&name] = value.clone();
            body["evses"][0]["connectors"][0][&name] = value;
            prop_assert_eq!(findings(&LOCATION, &body), [""; 0]);
        }
    }
}
