//! Objects as text: one member changed, every other octet as it was written.

use serde_json::value::RawValue;

use super::meter::json_text;
use crate::ocpi::ids::fold;
use crate::ocpi::json;
use crate::ocpi::time;

/// The members of an object in their order; `None` when it is none.
pub(super) fn members(object: &str) -> Option<Vec<(String, String)>> {
    let members = json::top_level(object.as_bytes()).ok()?;
    Some(
        members
            .into_iter()
            .map(|(name, raw)| (name, raw.get().to_owned()))
            .collect(),
    )
}

/// An object of these members, without a blank between them.
pub(super) fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, raw)| format!("{}:{raw}", json_text(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The elements of a list; `None` when it is none.
pub(super) fn elements(list: &str) -> Option<Vec<String>> {
    let elements: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    Some(elements.into_iter().map(|element| element.get().to_owned()).collect())
}

/// The raw value of a member.
pub(super) fn member(object: &str, name: &str) -> Option<String> {
    members(object)?
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, raw)| raw)
}

/// A member that is a text, its escapes resolved.
pub(super) fn text(object: &str, name: &str) -> Option<String> {
    serde_json::from_str(&member(object, name)?).ok()
}

/// An object with one member replaced, or added at its end.
pub(super) fn with_member(object_text: &str, name: &str, raw: &str) -> Option<String> {
    let mut members = members(object_text)?;
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => raw.clone_into(value),
        None => members.push((name.to_owned(), raw.to_owned())),
    }
    Some(object(&members))
}

/// An object after a PATCH: what is named is replaced (T-24); the list named by `append` grows instead (SES-12).
pub(super) fn patched(object: &str, patch: &str, append: Option<&str>) -> Option<String> {
    let mut whole = object.to_owned();
    for (name, raw) in members(patch)? {
        if append == Some(name.as_str()) {
            let mut list = member(&whole, &name)
                .and_then(|list| elements(&list))
                .unwrap_or_default();
            list.extend(elements(&raw).unwrap_or_default());
            whole = with_member(&whole, &name, &format!("[{}]", list.join(",")))?;
        } else {
            whole = with_member(&whole, &name, &raw)?;
        }
    }
    Some(whole)
}

/// The element of a list member with this id.
pub(super) fn child(object: &str, list: &str, id_name: &str, id: &str) -> Option<String> {
    elements(&member(object, list)?)?
        .into_iter()
        .find(|element| text(element, id_name).is_some_and(|known| fold(&known) == fold(id)))
}

/// An object whose list member has this child in the place of the one with the same id, or at its end.
pub(super) fn with_child(object: &str, list: &str, id_name: &str, id: &str, child: &str) -> Option<String> {
    let mut all = member(object, list)
        .and_then(|list| elements(&list))
        .unwrap_or_default();
    let known = all
        .iter_mut()
        .find(|element| text(element, id_name).is_some_and(|known| fold(&known) == fold(id)));
    match known {
        Some(known) => child.clone_into(known),
        None => all.push(child.to_owned()),
    }
    with_member(object, list, &format!("[{}]", all.join(",")))
}

/// An object as young as its youngest child (LOC-08).
pub(super) fn not_older_than(object: &str, last_updated: &str) -> Option<String> {
    let theirs = time::parse(last_updated).ok()?;
    let ours = text(object, "last_updated").and_then(|ours| time::parse(&ours).ok());
    if ours.is_some_and(|ours| ours >= theirs) {
        return Some(object.to_owned());
    }
    with_member(object, "last_updated", &json_text(last_updated))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // T-24, SES-12
    #[test]
    fn a_patch_changes_what_it_names_and_appends_where_it_must() {
        let session = r#"{ "id":"S", "kwh": 0.10 ,"charging_periods":[{"a":1E1}] }"#;
        assert_eq!(
            patched(
                session,
                r#"{"kwh":0.20,"charging_periods":[{"b":2}],"new":"\u00e4"}"#,
                Some("charging_periods")
            )
            .unwrap(),
            r#"{"id":"S","kwh":0.20,"charging_periods":[{"a":1E1},{"b":2}],"new":"\u00e4"}"#
        );
        assert_eq!(patched(session, "[]", None), None);
    }

    // LOC-08
    #[test]
    fn a_child_finds_its_place_and_makes_its_parent_younger() {
        let location = r#"{"evses":[{"uid":"a","x":1},{"uid":"B"}],"last_updated":"2026-01-01T00:00:00Z"}"#;
        let changed = with_child(location, "evses", "uid", "A", r#"{"uid":"A"}"#).unwrap();
        assert_eq!(child(&changed, "evses", "uid", "a").as_deref(), Some(r#"{"uid":"A"}"#));
        let younger = not_older_than(&changed, "2026-01-02T00:00:00Z").unwrap();
        assert_eq!(text(&younger, "last_updated").as_deref(), Some("2026-01-02T00:00:00Z"));
        assert_eq!(
            not_older_than(&younger, "2025-01-02T00:00:00Z").as_deref(),
            Some(younger.as_str())
        );
    }
}
