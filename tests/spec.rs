//! The specification's own examples: everything in them that we have a typed view of can be read.
//!
//! The examples are not part of this repository; they are found as `tests/corpus` says.

#![allow(clippy::unwrap_used)]

mod corpus;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use truewatt::ocpi::v2_2_1::cdr::{self, CdrHead};
use truewatt::ocpi::v2_2_1::credentials::Credentials;
use truewatt::ocpi::v2_2_1::structure::{self, ENUMERATIONS, Finding, STRUCTURES, Severity, Structure};
use truewatt::ocpi::{InterfaceRole, StatusCode, envelope, json, patch, splice, versions};

/// The examples of 2.2.1 by file name; `None`, with a line, when they are not here.
fn examples() -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = corpus::folder().join("fixtures/ocpi/2.2.1");
    let Ok(entries) = fs::read_dir(&folder) else {
        corpus::missing(&folder);
        return None;
    };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let read = |path: &PathBuf| {
        (
            path.file_name().unwrap().to_str().unwrap().to_owned(),
            fs::read(path).unwrap(),
        )
    };
    Some(
        paths
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .map(read)
            .collect(),
    )
}

/// Those whose names begin like this; there must be some.
fn named<'e>(examples: &'e BTreeMap<String, Vec<u8>>, start: &str) -> Vec<(&'e str, &'e [u8])> {
    let found: Vec<_> = examples
        .iter()
        .filter(|(name, _)| name.starts_with(start))
        .map(|(name, body)| (name.as_str(), body.as_slice()))
        .collect();
    assert!(!found.is_empty(), "no example begins with {start}");
    found
}

// OBJ-27..OBJ-33
#[test]
fn every_cdr_of_the_specification_can_be_read() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "cdr_example") {
        let head = CdrHead::read(body).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(cdr::check_top_level(body), Ok(()), "{name}");
        let whole: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(head.id, whole["id"], "{name}");
        assert_eq!(head.total_energy, whole["total_energy"].to_string(), "{name}");
        assert_eq!(
            head.cdr_token.party.as_ref().unwrap().party_id(),
            whole["cdr_token"]["party_id"],
            "{name}"
        );
    }
}

// OBJ-07, OBJ-08
#[test]
fn every_credentials_object_of_the_specification_can_be_read_and_written_again() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "credentials_example") {
        let credentials = Credentials::read(body).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let written = credentials.write();
        assert_eq!(
            json::digest(written.as_bytes()),
            json::digest(body),
            "{name}: {written}"
        );
    }
}

// OBJ-04, V-07
#[test]
fn every_versions_list_of_the_specification_can_be_read() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "versions_info_example") {
        let list = versions::read_versions(std::str::from_utf8(body).unwrap()).unwrap();
        let whole: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(serde_json::to_value(&list).unwrap(), whole, "{name}");
        assert_eq!(
            versions::highest_mutual(&list, &truewatt::ocpi::Version::ALL)
                .unwrap()
                .0
                .as_str(),
            "2.2.1",
            "{name}"
        );
    }
}

// OBJ-05, OBJ-06
#[test]
fn all_version_details_of_the_specification_can_be_read() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "version_details_example") {
        let details = versions::read_details(std::str::from_utf8(body).unwrap()).unwrap();
        let whole: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(serde_json::to_value(&details).unwrap(), whole, "{name}");
        let credentials = versions::endpoint(&details.endpoints, "credentials", InterfaceRole::Sender);
        assert_eq!(credentials, Some("https://example.com/ocpi/2.2/credentials"), "{name}");
    }
}

// OBJ-01, S-01
#[test]
fn every_envelope_of_the_specification_can_be_unwrapped_and_its_data_read() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "transport_and_format_") {
        let unwrapped = envelope::read(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(unwrapped.status_code, StatusCode::SUCCESS, "{name}");
        let data = unwrapped.data.unwrap();
        if name.contains("version_info") {
            assert_eq!(versions::read_versions(data.get()).unwrap().len(), 2, "{name}");
        } else if name.contains("version_details") {
            assert_eq!(versions::read_details(data.get()).unwrap().endpoints.len(), 2, "{name}");
        }
    }
    for (name, body) in named(&examples, "inline_error_response") {
        let unwrapped = envelope::read(body).unwrap();
        assert_eq!(unwrapped.status_code, StatusCode::INVALID_PARAMETER, "{name}");
        assert!(unwrapped.data.is_none() && unwrapped.status_message.is_some(), "{name}");
    }
}

#[test]
fn every_example_has_the_digest_of_what_it_says_and_not_of_how_it_is_written() {
    let Some(examples) = examples() else { return };
    for (name, body) in named(&examples, "") {
        // One example is not JSON, in the specification itself: its last member is followed by a comma (D-21).
        let Ok(whole) = serde_json::from_slice::<Value>(body) else {
            assert_eq!(name, "inline_hubclientinfo_put_example.json");
            assert!(json::check_syntax(body).is_err());
            continue;
        };
        assert_eq!(json::check_syntax(body), Ok(()), "{name}");
        assert_eq!(
            json::digest(body).unwrap(),
            json::digest(whole.to_string().as_bytes()).unwrap(),
            "{name}"
        );
        if let Value::Object(members) = &whole {
            let names: Vec<_> = json::top_level(body)
                .unwrap()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert_eq!(names.len(), members.len(), "{name}");
        }
    }
}

// design.md 3.6.1
#[test]
fn the_head_of_every_cdr_with_signed_data_we_know_can_be_read() {
    let Some(vectors) = corpus::rows::<Value>("ocpi_cdr.json") else {
        return;
    };
    assert!(!vectors.is_empty());
    for vector in &vectors {
        let name = &vector["id"];
        let body = vector["cdr"].to_string();
        let head = CdrHead::read(body.as_bytes()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let values = &vector["cdr"]["signed_data"]["signed_values"];
        let count = head.signed_data.as_ref().map_or(0, |signed| signed.signed_values.len());
        assert_eq!(count, values.as_array().map_or(0, Vec::len), "{name}");
        for (read, written) in head
            .signed_data
            .iter()
            .flat_map(|signed| &signed.signed_values)
            .zip(values.as_array().into_iter().flatten())
        {
            assert_eq!(read.signed_data, written["signed_data"], "{name}");
        }
    }
}

/// What an example is, and what our reader makes of it.
struct Example {
    file: &'static str,
    is: Is,
    /// Pointer and reason of every error, in order. These are the specification's own slips, recorded beside the examples.
    errors: &'static [(&'static str, &'static str)],
}

enum Is {
    /// The object itself.
    Whole(&'static Structure),
    /// The body of a PATCH.
    Patch(&'static Structure),
    /// An object with the one member that is meant.
    Member(&'static str, &'static Structure),
    /// A list of objects.
    List(&'static Structure),
    /// An envelope around an object.
    Answer(&'static Structure),
    /// An envelope around a list.
    ListAnswer(&'static Structure),
    /// Not JSON from this byte on.
    Broken(usize),
}

const fn good(file: &'static str, is: Is) -> Example {
    Example { file, is, errors: &[] }
}

const MISSING: &str = "is missing";

/// One line per example, in the order of their names.
static EXAMPLES: &[Example] = {
    use Is::{Answer, Broken, List, ListAnswer, Member, Patch, Whole};
    use structure::{
        CDR, CONNECTOR, CREDENTIALS, DISPLAY_TEXT, ENERGY_MIX, ENVELOPE, EVSE, HOURS, LOCATION, SESSION, TARIFF, TOKEN,
        VERSION, VERSION_DETAILS,
    };
    &[
        good("cdr_example.json", Whole(&CDR)),
        good("credentials_example.json", Whole(&CREDENTIALS)),
        good("credentials_example2.json", Whole(&CREDENTIALS)),
        good("credentials_example3.json", Whole(&CREDENTIALS)),
        good("credentials_example4.json", Whole(&CREDENTIALS)),
        good("inline_error_response_example.json", Whole(&ENVELOPE)),
        good("inline_hubclientinfo_put_example.json", Broken(87)),
        good(
            "location_energymix_example_complete.json",
            Member("energy_mix", &ENERGY_MIX),
        ),
        good(
            "location_energymix_example_energy_provider.json",
            Member("energy_mix", &ENERGY_MIX),
        ),
        good(
            "location_energymix_example_simple.json",
            Member("energy_mix", &ENERGY_MIX),
        ),
        good("location_example.json", Whole(&LOCATION)),
        good("location_example_parking_garage_opening_hours.json", Whole(&LOCATION)),
        good("location_example_uc2_destination_charger.json", Whole(&LOCATION)),
        good(
            "location_example_uc3_destination_charger_not_published.json",
            Whole(&LOCATION),
        ),
        good("location_example_uc4_limited_visibility.json", Whole(&LOCATION)),
        good("location_example_uc5_home_charge_point.json", Whole(&LOCATION)),
        good("location_hours_247_open_exception_closing.json", Whole(&HOURS)),
        good(
            "location_hours_opening_hours_with_exceptional_closing.json",
            Whole(&HOURS),
        ),
        good(
            "location_hours_opening_hours_with_exceptional_opening.json",
            Whole(&HOURS),
        ),
        good("location_patch_example_location.json", Patch(&LOCATION)),
        good("location_patch_example_remove_evse.json", Patch(&EVSE)),
        good("location_patch_example_status.json", Patch(&EVSE)),
        good("location_patch_example_tariff.json", Patch(&CONNECTOR)),
        Example {
            file: "location_put_example_add_evse.json",
            is: Whole(&EVSE),
            errors: &[
                ("/connectors/0/power_type", MISSING),
                ("/connectors/0/max_voltage", MISSING),
                ("/connectors/0/max_amperage", MISSING),
                ("/connectors/0/last_updated", MISSING),
                ("/physical_reference", "must be a string"),
            ],
        },
        good("location_regularhours_example.json", Member("opening_times", &HOURS)),
        good("session_example_1_simple_start.json", Whole(&SESSION)),
        good("session_example_2_short_finished.json", Whole(&SESSION)),
        good("session_patch_example_charging_period.json", Patch(&SESSION)),
        good("session_patch_example_total_cost.json", Patch(&SESSION)),
        good("tariff_10_025kwh_parking_start.json", Whole(&TARIFF)),
        good("tariff_11_not_possible_alt_text.json", Whole(&TARIFF)),
        good("tariff_12_025kwh_min_price.json", Whole(&TARIFF)),
        good("tariff_13_simple_3hour_5parking.json", Whole(&TARIFF)),
        good("tariff_14_step_size.json", Whole(&TARIFF)),
        good("tariff_15_reservation_5_euro_per_hour.json", Whole(&TARIFF)),
        good("tariff_16_reservation_2_euro_fee_5_euro_per_hour.json", Whole(&TARIFF)),
        good("tariff_17_reservation_with_expire_fee.json", Whole(&TARIFF)),
        good("tariff_18_reservation_with_expire_time.json", Whole(&TARIFF)),
        good("tariff_1_simple_2hour.json", Whole(&TARIFF)),
        good("tariff_2_alt_text.json", Whole(&TARIFF)),
        good("tariff_3_alt_url.json", Whole(&TARIFF)),
        good("tariff_4_complex.json", Whole(&TARIFF)),
        good("tariff_5_free_of_charge.json", Whole(&TARIFF)),
        good("tariff_6_025kwh_start_max_price.json", Whole(&TARIFF)),
        good("tariff_8_simple_025kwh.json", Whole(&TARIFF)),
        good("tariff_9_025kwh_start.json", Whole(&TARIFF)),
        Example {
            file: "tariff_put_example.json",
            is: Whole(&TARIFF),
            errors: &[("/last_updated", MISSING)],
        },
        good("tariffrestriction_example_max_duration.json", Whole(&TARIFF)),
        good("tariffrestriction_example_max_power.json", Whole(&TARIFF)),
        good("token_example_1_app_user.json", Whole(&TOKEN)),
        good("token_example_2_full_rfid.json", Whole(&TOKEN)),
        good("token_patch_example.json", Patch(&TOKEN)),
        good("token_put_example.json", Whole(&TOKEN)),
        good("transport_and_format_get_token_example.json", Answer(&TOKEN)),
        good("transport_and_format_get_token_list_example.json", ListAnswer(&TOKEN)),
        good(
            "transport_and_format_version_details_example.json",
            Answer(&VERSION_DETAILS),
        ),
        good("transport_and_format_version_info_example.json", ListAnswer(&VERSION)),
        good("type_displaytext_example.json", Whole(&DISPLAY_TEXT)),
        good("version_details_example.json", Whole(&VERSION_DETAILS)),
        good("version_details_example2.json", Whole(&VERSION_DETAILS)),
        good("versions_info_example.json", List(&VERSION)),
    ]
};

/// The texts of the elements, cut out of the body by a reader that is not ours.
fn elements(list: &[u8]) -> Vec<&serde_json::value::RawValue> {
    serde_json::from_slice(list).unwrap()
}

fn findings_of(example: &Example, body: &[u8]) -> Result<Vec<Finding>, json::JsonError> {
    let data = || envelope::read(body).unwrap().data.unwrap();
    let each = |structure: &Structure, list: &[u8]| {
        let found: Result<Vec<_>, _> = elements(list)
            .iter()
            .map(|element| structure::validate(structure, element.get().as_bytes()))
            .collect();
        found.map(|found| found.concat())
    };
    match &example.is {
        Is::Whole(structure) => structure::validate(structure, body),
        Is::Patch(structure) => structure::validate_patch(structure, body),
        Is::Member(name, structure) => {
            let members = json::top_level(body)?;
            assert_eq!(members.len(), 1, "{}", example.file);
            assert_eq!(members[0].0, *name, "{}", example.file);
            structure::validate(structure, members[0].1.get().as_bytes())
        }
        Is::List(structure) => each(structure, body),
        Is::Answer(structure) | Is::ListAnswer(structure) => {
            assert_eq!(structure::validate(&structure::ENVELOPE, body)?, [], "{}", example.file);
            if matches!(example.is, Is::Answer(_)) {
                structure::validate(structure, data().get().as_bytes())
            } else {
                each(structure, data().get().as_bytes())
            }
        }
        Is::Broken(_) => structure::validate(&structure::CLIENT_INFO, body),
    }
}

// OBJ-01..OBJ-56, ENUM-01..ENUM-34
// TAR-11
#[test]
fn every_example_is_accepted_or_refused_for_the_recorded_reason_and_none_is_left_out() {
    let Some(examples) = examples() else { return };
    let listed: Vec<&str> = EXAMPLES.iter().map(|example| example.file).collect();
    let present: Vec<&str> = examples.keys().map(String::as_str).collect();
    assert_eq!(listed, present, "the table and the folder name different examples");

    for example in EXAMPLES {
        let body = examples[example.file].as_slice();
        let found = findings_of(example, body);
        if let Is::Broken(at) = example.is {
            assert_eq!(found, Err(json::JsonError::Syntax(at)), "{}", example.file);
            continue;
        }
        // No example earns a warning: what the specification itself writes is never odd.
        let found: Vec<_> = found.unwrap();
        let (errors, warnings): (Vec<_>, Vec<_>) =
            found.iter().partition(|finding| finding.severity == Severity::Error);
        assert!(warnings.is_empty(), "{}: {warnings:?}", example.file);
        let errors: Vec<_> = errors
            .iter()
            .map(|finding| (finding.pointer.as_str(), finding.reason.as_str()))
            .collect();
        assert_eq!(errors, example.errors, "{}", example.file);
        let refused = structure::first_error(&found).map(|refusal| (refusal.code(), refusal.message));
        let expected = example
            .errors
            .first()
            .map(|(pointer, reason)| (StatusCode::INVALID_PARAMETER, format!("{pointer}: {reason}")));
        assert_eq!(refused, expected, "{}", example.file);
    }
}

/// The list of slips beside the examples was made by somebody else, with another program.
#[test]
fn the_errors_we_find_in_the_examples_are_those_recorded_beside_them() {
    let Some(text) = corpus::text("fixtures/ocpi/README.md") else {
        return;
    };
    let (_, record) = text.split_once("## Valid JSON that breaks the object tables").unwrap();
    let (record, _) = record.split_once("\n## ").unwrap();
    let mut recorded: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in record.lines().filter(|row| row.starts_with("| 2.2.1 |")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for slip in cells[3].split("; ") {
            let (path, what) = slip.split_once(": ").unwrap();
            // Members nobody knows are no errors (T-40).
            let reason = match what {
                "missing required (1)" => MISSING,
                "expected string got 3" => "must be a string",
                _ => {
                    assert_eq!(what, "field not in EVSE");
                    continue;
                }
            };
            let pointer = path.replace('[', "/").replace(']', "").replace('.', "/");
            recorded
                .entry(cells[2].to_owned())
                .or_default()
                .push(format!("/{pointer}: {reason}"));
        }
    }
    let ours: BTreeMap<String, Vec<String>> = EXAMPLES
        .iter()
        .filter(|example| !example.errors.is_empty())
        .map(|example| {
            let errors = example
                .errors
                .iter()
                .map(|(pointer, reason)| format!("{pointer}: {reason}"));
            (example.file.to_owned(), errors.collect())
        })
        .collect();
    assert_eq!(ours, recorded);
}

// T-49, D-05
#[test]
fn every_example_comes_out_of_our_readers_octet_for_octet() {
    let Some(examples) = examples() else { return };
    for example in EXAMPLES {
        let body = examples[example.file].as_slice();
        let text = std::str::from_utf8(body).unwrap();
        if matches!(example.is, Is::Broken(_) | Is::List(_)) {
            continue;
        }
        // Every member stands in the body as it is read, one behind the other.
        let mut rest = text;
        for (name, value) in json::top_level(body).unwrap() {
            let (_, behind) = rest.split_once(&format!("\"{name}\"")).unwrap();
            let at = behind.find(value.get()).unwrap();
            assert_eq!(
                behind[..at].trim_matches([' ', ':', '\t', '\n']),
                "",
                "{}: {name}",
                example.file
            );
            rest = &behind[at + value.get().len()..];
        }
        assert_eq!(rest.trim(), "}", "{}", example.file);
        if let Is::Answer(_) | Is::ListAnswer(_) = example.is {
            let data = envelope::read(body).unwrap().data.unwrap();
            assert!(text.contains(&format!("\"data\": {},", data.get())), "{}", example.file);
        }
    }
}

/// The rows of one table of the checklist: id, name, third cell.
fn checklist(prefix: &str) -> Option<Vec<[String; 3]>> {
    let text = corpus::text("ocpi-checklist.md")?;
    let start = format!("| {prefix}");
    let rows = text.lines().filter(|row| row.starts_with(&start)).map(|row| {
        let mut cells = row.split(" | ").map(|cell| cell.trim_start_matches("| ").to_owned());
        [cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap()]
    });
    Some(rows.collect())
}

// OBJ-01..OBJ-56
// T-47
#[test]
fn the_tables_of_objects_say_what_the_checklist_says() {
    let Some(rows) = checklist("OBJ-") else { return };
    let ours: Vec<_> = STRUCTURES
        .iter()
        .map(|structure| {
            let fields: Vec<String> = structure.fields.iter().map(ToString::to_string).collect();
            [
                structure.id.to_owned(),
                structure.name.to_owned(),
                format!("`{}`", fields.join(" ")),
            ]
        })
        .collect();
    assert_eq!(ours, rows);
}

// ENUM-01..ENUM-34
// SES-13, CMD-05
#[test]
fn the_tables_of_enumerations_say_what_the_checklist_says() {
    let Some(rows) = checklist("ENUM-") else { return };
    let ours: Vec<_> = ENUMERATIONS
        .iter()
        .map(|known| {
            let more = if known.open { " (plus custom ids)" } else { "" };
            [
                known.id.to_owned(),
                known.name.to_owned(),
                format!("{}{more}", known.values.join(", ")),
            ]
        })
        .collect();
    assert_eq!(ours, rows);
}

// T-49, LOC-08
#[test]
fn changing_one_member_of_an_example_leaves_every_other_octet() {
    let Some(examples) = examples() else { return };
    let mut changed = 0;
    for (name, body) in named(&examples, "") {
        if !matches!(serde_json::from_slice::<Value>(body), Ok(Value::Object(_))) {
            continue;
        }
        assert_eq!(patch::apply(body, b"{}").unwrap(), body, "{name}");
        assert_eq!(patch::apply(body, body).unwrap(), body, "{name}");
        let Some(found) = splice::string_member(body, "last_updated").unwrap() else {
            continue;
        };
        changed += 1;
        let new = "\"2026-11-21T10:00:00Z\"";
        let spliced = splice::replace_range(body, &found.range, new);
        assert_eq!(
            patch::set_text_member(body, "last_updated", new).unwrap(),
            spliced,
            "{name}"
        );
        let back = splice::string_member(&spliced, "last_updated").unwrap().unwrap();
        let restored = splice::replace_range(&spliced, &back.range, &splice::json_string(&found.text));
        assert_eq!(restored, body, "{name}");
    }
    assert!(changed > 30, "{changed}");
}

// LOC-03, SES-12
#[test]
fn the_patches_of_the_specification_apply_to_its_own_objects() {
    let Some(examples) = examples() else { return };
    let location = examples["location_example.json"].as_slice();
    let patch = examples["location_patch_example_tariff.json"].as_slice();
    let evse = patch::element(location, "evses", "uid", "3256").unwrap();
    let evse = patch::patch_element(evse, "connectors", "id", "2", patch)
        .unwrap()
        .unwrap();
    let patched = patch::replace_element(location, "evses", "uid", "3256", &evse).unwrap();
    assert!(patched.existed);
    let expected = std::str::from_utf8(location)
        .unwrap()
        .replace("[\"13\"]", "[\"15\"]")
        .replace("2015-03-18T08:12:01Z", "2019-06-24T12:39:09Z");
    assert_eq!(String::from_utf8(patched.document).unwrap(), expected);

    let session = examples["session_example_2_short_finished.json"].as_slice();
    let patch = examples["session_patch_example_charging_period.json"].as_slice();
    let grown = patch::apply_appending(session, patch, "charging_periods").unwrap();
    let (before, added, after): (Value, Value, Value) = (
        serde_json::from_slice(session).unwrap(),
        serde_json::from_slice(patch).unwrap(),
        serde_json::from_slice(&grown).unwrap(),
    );
    let periods = |session: &Value| session["charging_periods"].as_array().unwrap().clone();
    assert_eq!(periods(&after), [periods(&before), periods(&added)].concat());
    assert_eq!(after["kwh"].to_string(), "15.00");
    assert_eq!(after["location_id"], before["location_id"]);
    assert_eq!(structure::validate(&structure::SESSION, &grown).unwrap(), []);
}
