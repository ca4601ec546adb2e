//! JSON that is held against its table, laid over, or changed in one place, and JSON that a meter signed.

use truewatt::metering::json as metering;
use truewatt::ocpi::splice::{
    json_string, nested_url, query_parameter, replace_parameter, replace_range, string_member,
};
use truewatt::ocpi::v2_2_1::heads;
use truewatt::ocpi::v2_2_1::structure::{STRUCTURES, first_error, validate, validate_patch};
use truewatt::ocpi::{json, patch as laid_over};
use truewatt::profiles::pseudonym;

/// Whatever somebody pushes is held against its table or refused, never a panic; and it stays a document of bounded complaints.
///
/// The first byte chooses the table, the rest is the body.
pub fn structure(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let structure = STRUCTURES[usize::from(*choice) % STRUCTURES.len()];
    for found in [validate(structure, body), validate_patch(structure, body)] {
        // Only an object is validated, and every object is.
        assert_eq!(found.is_ok(), json::top_level(body).is_ok());
        let findings = found.unwrap_or_default();
        assert!(findings.len() <= 200);
        let _ = first_error(&findings);
    }
    let _ = heads::SessionHead::read(body);
    let _ = heads::CommandHead::read(body);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = heads::ResultWord::read(text);
    }
}

/// Whatever is laid over whatever, the result is JSON that can be read again, and laying it over twice is laying it over once.
///
/// Document and patch are the two sides of the first zero octet.
pub fn patch(data: &[u8]) {
    let cut = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
    let (document, update) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());

    if let Ok(applied) = laid_over::apply(document, update) {
        assert_eq!(json::check_syntax(&applied), Ok(()));
        assert_eq!(laid_over::apply(&applied, update).as_ref(), Ok(&applied));
        assert_eq!(laid_over::apply(&applied, b"{}").as_ref(), Ok(&applied));
    }
    if let Ok(put) = laid_over::replace_element(document, "a", "b", "c", update) {
        assert_eq!(json::check_syntax(&put.document), Ok(()));
        assert_eq!(laid_over::element(document, "a", "b", "c").is_some(), put.existed);
    }
    let grown = [
        laid_over::append_elements(document, "a", update).ok(),
        laid_over::apply_appending(document, update, "a").ok(),
        laid_over::patch_element(document, "a", "b", "c", update).ok().flatten(),
    ];
    for result in grown.into_iter().flatten() {
        assert_eq!(json::check_syntax(&result), Ok(()));
    }
}

/// Whatever a body or a query is, the text that was put in reads back, and no other octet moved.
///
/// The member and the parameter are called `u`; body or query and the new text are the two sides of the first zero octet.
pub fn splice(data: &[u8]) {
    let cut = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
    let (body, new) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());
    let new = String::from_utf8_lossy(new);

    if let Ok(Some(found)) = string_member(body, "u") {
        let spliced = replace_range(body, &found.range, &json_string(&new));
        assert!(spliced.starts_with(&body[..found.range.start]));
        assert!(spliced.ends_with(&body[found.range.end..]));
        let again = string_member(&spliced, "u")
            .expect("still a body")
            .expect("still there");
        assert_eq!(again.text, new);
    }
    let Ok(query) = std::str::from_utf8(body) else { return };
    if let Ok(Some(found)) = query_parameter(query, "u") {
        let replaced = replace_parameter(query, &found.range, &new);
        assert!(replaced.starts_with(&query[..found.range.start]));
        assert!(replaced.ends_with(&query[found.range.end..]));
        let again = query_parameter(&replaced, "u")
            .expect("still a query")
            .expect("still there");
        assert_eq!(again.decoded, new);
    }
    if let Ok(Some(found)) = nested_url(query, "u", &["d"]) {
        let replaced = replace_parameter(query, &found.range, &new);
        assert!(replaced.starts_with(&query[..found.range.start]));
        assert!(replaced.ends_with(&query[found.range.end..]));
    }
}

/// What a provider is shown of whatever came as a Session is a document, has no member that the Session has not, and every value but the
/// token's and the periods' is a piece of it.
pub fn shown_session(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(shown) = pseudonym::session(text, "secret") else {
        return;
    };
    let members = json::top_level(shown.as_bytes()).expect("a document");
    let came = json::top_level(data).expect("it was read");
    for (name, value) in members {
        let is_made = ["cdr_token", "charging_periods"].contains(&name.as_str());
        let mut came = came.iter().filter(|(other, _)| *other == name);
        assert!(came.any(|(_, it)| is_made || it.get() == value.get()), "{name}");
    }
}

/// Whatever is a document for the signed side is one for the relayed side too, but for half a surrogate: no reader can say what it stands for,
/// the relayed side refuses it, and the signed side, which must not call a record malformed that others verify, reads U+FFFD. Taken apart,
/// every part of a document is a slice that can be read by itself.
pub fn metering_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(value) = metering::read(text) else { return };
    let may_hold_half_a_surrogate = text.to_ascii_lowercase().contains("\\ud");
    assert!(json::check_syntax(data).is_ok() || may_hold_half_a_surrogate);
    assert!(text.contains(value.as_written()));
    for member in value.members() {
        assert!(metering::read(member.value.as_written()).is_ok());
    }
    for element in value.first_elements(100) {
        assert!(metering::read(element.as_written()).is_ok());
    }
}
