//! The specification's own examples: everything in them that we have a typed view of can be read.
//!
//! The examples are not part of this repository. They are looked for at `$TRUEWATT_SHARED`, by default `../shared`; without
//! them there is nothing to prove, and each test says so in one line.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use truewatt::ocpi::v2_2_1::cdr::{self, CdrHead};
use truewatt::ocpi::v2_2_1::credentials::Credentials;
use truewatt::ocpi::{InterfaceRole, StatusCode, envelope, json, versions};

fn shared() -> PathBuf {
    #[allow(
        clippy::disallowed_methods,
        reason = "where the examples are is no setting of the program"
    )]
    let named = std::env::var_os("TRUEWATT_SHARED");
    named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    )
}

/// The examples of 2.2.1 by file name; `None`, with a line, when they are not here.
fn examples() -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = shared().join("fixtures/ocpi/2.2.1");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no examples of the specification at {}", folder.display());
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
    let path = shared().join("vectors/ocpi_cdr.json");
    let Ok(text) = fs::read(&path) else {
        println!("skipped: no CDRs with signed data at {}", path.display());
        return;
    };
    let vectors: Vec<Value> = serde_json::from_slice(&text).unwrap();
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
