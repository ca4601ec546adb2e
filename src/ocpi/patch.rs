//! A partial update laid over a document, octet by octet: what the update does not name stays exactly as it was written.
//!
//! Numbers keep their spelling, members their order, blanks their place (T-49); new members come last. Lists are replaced as a
//! whole (T-24), except where OCPI says that they grow (SES-12) or that one element is meant (an EVSE of a Location, LOC-04).
//! Whether the result is a good Location is not asked here: see [`super::v2_2_1::structure`].
//!
//! Where a name appears twice in one object, the last one is what counts, as with most readers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::ids::fold;
use super::json::{self, JsonError, Walk};
use super::spans::{self, List, Object, cut};

/// The document with the members of `patch` in place of its own (T-24).
///
/// `null` is a value like any other: the member is set to it. Members the document does not have come last, in the patch's order,
/// as the patch spells them.
///
/// # Errors
/// [`JsonError`] when either is no JSON object.
pub fn apply(document: &[u8], patch: &[u8]) -> Result<Vec<u8>, JsonError> {
    lay_over(document, patch, None)
}

/// As [`apply`], but the elements of one list are added to those the document has: `charging_periods` of a Session (SES-12).
/// Absent, null or empty in the patch, the list stays as it is.
///
/// # Errors
/// As [`apply`], and [`JsonError::NotAList`] when one of the two has something else there.
pub fn apply_appending(document: &[u8], patch: &[u8], list_member: &str) -> Result<Vec<u8>, JsonError> {
    let added = Object::read(patch)?
        .last(list_member)
        .map(|member| cut(patch, &member.value));
    let changed = lay_over(document, patch, Some(list_member))?;
    match added {
        Some(added) => append_elements(&changed, list_member, added),
        None => Ok(changed),
    }
}

fn lay_over(document: &[u8], patch: &[u8], except: Option<&str>) -> Result<Vec<u8>, JsonError> {
    let object = Object::read(document)?;
    let update = Object::read(patch)?;
    // Of members with one name the last one stays in the map.
    let wanted: BTreeMap<&str, &spans::Member<'_>> = update
        .members
        .iter()
        .filter(|member| Some(member.name.as_ref()) != except)
        .map(|member| (member.name.as_ref(), member))
        .collect();
    let known: BTreeSet<&str> = object.members.iter().map(|member| member.name.as_ref()).collect();

    // Every member of the name, lest two of them say different things afterwards.
    let mut changes: Vec<(Range<usize>, Cow<'_, [u8]>)> = object
        .members
        .iter()
        .filter_map(|member| {
            let new = wanted.get(member.name.as_ref())?;
            Some((member.value.clone(), Cow::Borrowed(cut(patch, &new.value))))
        })
        .collect();
    let mut new: Vec<&spans::Member<'_>> = wanted
        .values()
        .copied()
        .filter(|member| !known.contains(member.name.as_ref()))
        .collect();
    new.sort_by_key(|member| member.whole.start);
    let new = new.iter().map(|member| cut(patch, &member.whole));
    changes.push((
        object.end..object.end,
        Cow::Owned(behind(!object.members.is_empty(), new)),
    ));
    Ok(spans::replaced(document, changes))
}

/// Parts with a comma before each, except before the very first of all.
fn behind<'p>(others: bool, parts: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        if others || !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(part);
    }
    out
}

/// The document with one member set to a value given as JSON text, `"…"` with its quotes: `last_updated` of the parents of what
/// was pushed (LOC-08). A member that is not there comes last.
///
/// # Errors
/// [`JsonError`] when the document is no object or the value no JSON.
pub fn set_text_member(document: &[u8], name: &str, value: &str) -> Result<Vec<u8>, JsonError> {
    set_member(document, name, value.as_bytes())
}

fn set_member(document: &[u8], name: &str, value: &[u8]) -> Result<Vec<u8>, JsonError> {
    let value = cut(value, &spans::document(value)?);
    let name = serde_json::Value::from(name).to_string();
    lay_over(document, &[b"{", name.as_bytes(), b":", value, b"}"].concat(), None)
}

/// An element of a list in the document, found by its id without regard to case (T-42): an EVSE of a Location by `evses`, `uid`;
/// a Connector of an EVSE by `connectors`, `id`. `None` when there is none, or no such list, or no such document.
#[must_use]
pub fn element<'d>(document: &'d [u8], list_member: &str, id_member: &str, id: &str) -> Option<&'d [u8]> {
    let place = find(document, list_member, id_member, id).ok()??;
    Some(cut(document, &place))
}

/// A document in which an element was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The document as it is now.
    pub document: Vec<u8>,
    /// Whether an element of that id stood there before.
    pub existed: bool,
}

/// The document with an element in place of the one of that id; behind the others when there is none, in a new list when there is
/// no list (LOC-04).
///
/// # Errors
/// [`JsonError`] when the document or the element is no object, or something else stands where the list should be.
pub fn replace_element(
    document: &[u8],
    list_member: &str,
    id_member: &str,
    id: &str,
    new_element: &[u8],
) -> Result<Replaced, JsonError> {
    Object::read(new_element)?;
    let new_element = cut(new_element, &spans::document(new_element)?);
    let Some(place) = find(document, list_member, id_member, id)? else {
        let document = append_elements(document, list_member, &[b"[", new_element, b"]"].concat())?;
        return Ok(Replaced {
            document,
            existed: false,
        });
    };
    Ok(Replaced {
        document: readable(spans::replaced(document, [(place, Cow::Borrowed(new_element))]))?,
        existed: true,
    })
}

/// The document with [`apply`] done to one element of a list; `None` when there is no such element (T-26, LOC-05).
///
/// # Errors
/// [`JsonError`] when the document or the patch is no object, or something else stands where the list should be.
pub fn patch_element(
    document: &[u8],
    list_member: &str,
    id_member: &str,
    id: &str,
    patch: &[u8],
) -> Result<Option<Vec<u8>>, JsonError> {
    Object::read(patch)?;
    let Some(place) = find(document, list_member, id_member, id)? else {
        return Ok(None);
    };
    let changed = apply(cut(document, &place), patch)?;
    readable(spans::replaced(document, [(place, Cow::Owned(changed))])).map(Some)
}

/// The document with the elements of a list, given as JSON text, behind those its own list has (SES-12). A list that is absent or
/// null begins with them; `null` and `[]` change nothing.
///
/// # Errors
/// [`JsonError`] when the document is no object, or one of the two is no list.
pub fn append_elements(document: &[u8], list_member: &str, patch_list: &[u8]) -> Result<Vec<u8>, JsonError> {
    let object = Object::read(document)?;
    let whole = spans::document(patch_list)?;
    if is_null(cut(patch_list, &whole)) {
        return Ok(document.to_vec());
    }
    let added = List::read(patch_list, &whole)?;
    let Some(first) = added.elements.first() else {
        return Ok(document.to_vec());
    };
    // From the first to the last of them as they are written, with what stands between.
    let elements = cut(patch_list, &(first.start..added.end));
    let Some(member) = object
        .last(list_member)
        .filter(|member| !is_null(cut(document, &member.value)))
    else {
        return set_member(document, list_member, patch_list);
    };
    let list = List::read(document, &member.value)?;
    let elements = behind(!list.elements.is_empty(), std::iter::once(elements));
    readable(spans::replaced(document, [(list.end..list.end, Cow::Owned(elements))]))
}

/// A value that was a document of its own stands deeper here, perhaps too deep. What we would not read again, we do not write.
fn readable(document: Vec<u8>) -> Result<Vec<u8>, JsonError> {
    json::check_syntax(&document).map(|()| document)
}

/// Where the first element of that id stands.
fn find(document: &[u8], list_member: &str, id_member: &str, id: &str) -> Result<Option<Range<usize>>, JsonError> {
    let object = Object::read(document)?;
    let Some(list) = object
        .last(list_member)
        .filter(|member| !is_null(cut(document, &member.value)))
    else {
        return Ok(None);
    };
    let wanted = fold(id);
    let mut elements = List::read(document, &list.value)?.elements.into_iter();
    Ok(elements.find(|place| text_member(cut(document, place), id_member).is_some_and(|text| fold(&text) == wanted)))
}

/// A string inside an element; elements that are no objects, or have none, are nobody's.
fn text_member(element: &[u8], name: &str) -> Option<String> {
    let object = Object::read(element).ok()?;
    let value = cut(element, &object.last(name)?.value);
    let mut walk = Walk::over(value).ok()?;
    walk.string().ok().map(Cow::into_owned)
}

fn is_null(value: &[u8]) -> bool {
    value == b"null"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn text(octets: Vec<u8>) -> String {
        String::from_utf8(octets).unwrap()
    }

    fn applied(document: &str, patch: &str) -> String {
        text(apply(document.as_bytes(), patch.as_bytes()).unwrap())
    }

    // T-24, T-49
    #[test]
    fn only_what_the_patch_names_changes_and_new_members_come_last() {
        let document = " {\n \"a\" : 1.50,\n \"b\":[1, 2] , \"c\" : {\"d\":1e0} \n} ";
        for (patch, expected) in [
            ("{}", document.to_owned()),
            ("{\"a\":2.0}", document.replace("1.50", "2.0")),
            ("{ \"\\u0062\" : [ ] }", document.replace("[1, 2]", "[ ]")),
            ("{\"c\":null}", document.replace("{\"d\":1e0}", "null")),
            (
                "{\"x\" : 1,\"a\":0,\"y\":{}}",
                document.replace("1.50", "0").replace("1e0}", "1e0},\"x\" : 1,\"y\":{}"),
            ),
            ("{\"z\":1,\"z\":2}", document.replace("1e0}", "1e0},\"z\":2")),
        ] {
            assert_eq!(applied(document, patch), expected, "{patch}");
        }
        assert_eq!(applied("{}", "{\"a\":1,\"b\":2}"), "{\"a\":1,\"b\":2}");
        assert_eq!(applied("{ }", "{\"a\":1}"), "{\"a\":1 }");
        // A name that stands twice must not say two things afterwards.
        assert_eq!(
            applied("{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":3}"),
            "{\"a\":3,\"b\":0,\"a\":3}"
        );
    }

    #[test]
    fn what_is_no_object_is_not_patched() {
        for (document, patch, error) in [
            ("[]", "{}", JsonError::NotAnObject),
            ("{}", "[]", JsonError::NotAnObject),
            ("{}", "{\"a\":}", JsonError::Syntax(5)),
            ("{", "{}", JsonError::Syntax(1)),
        ] {
            assert_eq!(apply(document.as_bytes(), patch.as_bytes()), Err(error));
        }
        assert_eq!(append_elements(b"{\"a\":1}", "a", b"[1]"), Err(JsonError::NotAList));
        assert_eq!(append_elements(b"{\"a\":[]}", "a", b"{}"), Err(JsonError::NotAList));
        assert_eq!(
            replace_element(b"{\"a\":[]}", "a", "id", "1", b"[]"),
            Err(JsonError::NotAnObject)
        );
        assert_eq!(
            patch_element(b"{\"a\":[]}", "a", "id", "1", b"[]"),
            Err(JsonError::NotAnObject)
        );
        assert!(set_text_member(b"{}", "a", "\"").is_err());
    }

    const LOCATION: &str = r#"{"id":"L1", "evses" : [ {"uid":"E1","x":1.0} , 7, { "uid" : "\u0065\u0032" , "connectors":[{"id":"1","v":230.00}], "x":2 } ], "last_updated":"old"}"#;

    // LOC-03, LOC-04, T-42
    #[test]
    fn an_element_is_found_and_replaced_by_its_id_in_any_case() {
        let document = LOCATION.as_bytes();
        assert_eq!(
            element(document, "evses", "uid", "e1"),
            Some(b"{\"uid\":\"E1\",\"x\":1.0}".as_slice())
        );
        assert_eq!(element(document, "evses", "uid", "E3"), None);
        assert_eq!(element(document, "images", "uid", "E1"), None);
        assert_eq!(element(document, "id", "uid", "L1"), None);

        let replaced = replace_element(document, "evses", "uid", "E1", b" {\"uid\":\"e1\"}\n").unwrap();
        assert!(replaced.existed);
        assert_eq!(
            text(replaced.document),
            LOCATION.replace("{\"uid\":\"E1\",\"x\":1.0}", "{\"uid\":\"e1\"}")
        );

        let added = replace_element(document, "evses", "uid", "E3", b"{\"uid\":\"E3\"}").unwrap();
        assert!(!added.existed);
        assert_eq!(
            text(added.document),
            LOCATION.replace("\"x\":2 }", "\"x\":2 },{\"uid\":\"E3\"}")
        );

        for (without, expected) in [
            ("{\"id\":1}", "{\"id\":1,\"evses\":[{}]}"),
            ("{\"evses\": null }", "{\"evses\": [{}] }"),
            ("{\"evses\": [ ] }", "{\"evses\": [{} ] }"),
        ] {
            let first = replace_element(without.as_bytes(), "evses", "uid", "E1", b"{}").unwrap();
            assert_eq!((text(first.document).as_str(), first.existed), (expected, false));
        }
    }

    // LOC-05, LOC-08, T-26
    #[test]
    fn a_connector_is_patched_inside_its_evse_and_its_parents_follow_in_time() {
        let document = LOCATION.as_bytes();
        let evse = element(document, "evses", "uid", "E2").unwrap();
        let evse = patch_element(evse, "connectors", "id", "1", b"{\"v\":400}")
            .unwrap()
            .unwrap();
        let evse = set_text_member(&evse, "last_updated", "\"new\"").unwrap();
        let changed = replace_element(document, "evses", "uid", "E2", &evse).unwrap().document;
        let changed = set_text_member(&changed, "last_updated", "\"new\"").unwrap();
        assert_eq!(
            text(changed),
            LOCATION
                .replace("230.00", "400")
                .replace("\"x\":2 }", "\"x\":2,\"last_updated\":\"new\" }")
                .replace("\"old\"", "\"new\"")
        );
        assert_eq!(patch_element(document, "evses", "uid", "E9", b"{}"), Ok(None));
        assert_eq!(patch_element(b"{}", "evses", "uid", "E9", b"{}"), Ok(None));
    }

    // SES-12
    #[test]
    fn charging_periods_of_a_patch_are_added_and_everything_else_is_replaced() {
        let session = r#"{"kwh":1.00,"charging_periods":[ {"n":1} ],"images":[1]}"#;
        let patched = |session: &str, patch: &str| {
            text(apply_appending(session.as_bytes(), patch.as_bytes(), "charging_periods").unwrap())
        };
        assert_eq!(
            patched(
                session,
                r#"{"charging_periods":[ {"n":2} , {"n":3} ],"kwh":2.50,"images":[]}"#
            ),
            r#"{"kwh":2.50,"charging_periods":[ {"n":1},{"n":2} , {"n":3} ],"images":[]}"#
        );
        for nothing in ["{}", r#"{"charging_periods":[]}"#, r#"{"charging_periods":null}"#] {
            assert_eq!(patched(session, nothing), session);
        }
        for begun in ["{}", r#"{"charging_periods":null}"#, r#"{"charging_periods":[]}"#] {
            assert_eq!(
                patched(begun, r#"{"charging_periods":[1, 2]}"#),
                r#"{"charging_periods":[1, 2]}"#
            );
        }
        assert_eq!(
            apply_appending(session.as_bytes(), br#"{"charging_periods":{}}"#, "charging_periods"),
            Err(JsonError::NotAList)
        );
    }

    #[test]
    fn what_would_be_nested_too_deep_to_be_read_again_is_not_written() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(126), "]".repeat(126));
        let shallow = LOCATION.as_bytes();
        assert!(apply(shallow, deep.as_bytes()).is_ok());
        for id in ["E1", "E9"] {
            let put = replace_element(shallow, "evses", "uid", id, deep.as_bytes());
            assert_eq!(put, Err(JsonError::TooDeep));
        }
        let patched = patch_element(shallow, "evses", "uid", "E1", deep.as_bytes());
        assert_eq!(patched, Err(JsonError::TooDeep));
        let list = deep.trim_start_matches("{\"x\":").trim_end_matches('}');
        let list = format!("[{list}]");
        assert_eq!(append_elements(b"{}", "l", list.as_bytes()), Err(JsonError::TooDeep));
        let appended = append_elements(b"{\"l\":[0]}", "l", list.as_bytes());
        assert_eq!(appended, Err(JsonError::TooDeep));
    }

    /// Objects as people and programs write them: blanks anywhere, numbers in any spelling.
    fn members() -> impl Strategy<Value = Vec<(String, String)>> {
        let value = prop::sample::select(vec![
            "1.50",
            "1e3",
            "-0",
            "null",
            "\"x\"",
            "\"\\u00e4 }\"",
            "[ 1 ,[]]",
            "{ \"a\" : {} }",
            "[]",
            "true",
            "[{\"id\":\"1\"}]",
        ]);
        let member = ("[a-f]{1}", "[ \n\t]{0,2}", value, "[ \n\t]{0,2}")
            .prop_map(|(name, before, value, after)| (name, format!("{before}{value}{after}")));
        prop::collection::vec(member, 0..6)
    }

    fn written(members: &[(String, String)]) -> String {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!(" \"{name}\":{value}"))
            .collect();
        format!("{{{} }}\n", members.join(","))
    }

    proptest! {
        #[test]
        fn untouched_members_keep_their_octets_and_patched_ones_have_the_patch_s(one in members(), other in members()) {
            let (document, patch) = (written(&one), written(&other));
            let result = applied(&document, &patch);
            prop_assert_eq!(json::check_syntax(result.as_bytes()), Ok(()));
            prop_assert_eq!(&applied(&result, &patch), &result, "applying twice is applying once");

            let before = json::top_level(document.as_bytes()).unwrap();
            let update = json::top_level(patch.as_bytes()).unwrap();
            let after = json::top_level(result.as_bytes()).unwrap();
            let wanted = |name: &str| update.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.get());
            for ((name, value), (name_after, value_after)) in before.iter().zip(&after) {
                prop_assert_eq!(name, name_after);
                prop_assert_eq!(value_after.get(), wanted(name).unwrap_or(value.get()));
            }
            for (name, value) in &after[before.len()..] {
                prop_assert!(before.iter().all(|(known, _)| known != name));
                prop_assert_eq!(Some(value.get()), wanted(name));
            }
            for (name, _) in &update {
                prop_assert!(after.iter().any(|(known, _)| known == name));
            }
            // With the changed values cut out, every octet before the new members is where it was.
            if update.iter().all(|(name, _)| before.iter().all(|(known, _)| known != name)) {
                let kept = document.trim_end().trim_end_matches('}').trim_end();
                prop_assert!(result.starts_with(kept), "{result:?} {kept:?}");
            }
        }

        #[test]
        fn an_element_that_was_put_is_found_and_its_neighbours_are_untouched(
            ids in prop::collection::vec("[a-dA-D]", 0..5), id in "[a-dA-D]", blank in "[ \n]{0,2}",
        ) {
            let elements: Vec<_> = ids.iter().enumerate().map(|(n, id)| format!("{{{blank}\"id\":\"{id}\",\"n\":{n}.0}}{blank}")).collect();
            let document = format!("{{\"l\":[{blank}{}],\"z\":1.0}}", elements.join(","));
            let new = format!("{{\"id\":\"{id}\"{blank}}}");
            let put = replace_element(document.as_bytes(), "l", "id", &id, new.as_bytes()).unwrap();
            prop_assert_eq!(put.existed, ids.iter().any(|known| known.eq_ignore_ascii_case(&id)));
            prop_assert_eq!(json::check_syntax(&put.document), Ok(()));
            prop_assert_eq!(element(&put.document, "l", "id", &id.to_ascii_lowercase()), Some(new.as_bytes()));
            for other in ids.iter().filter(|known| !known.eq_ignore_ascii_case(&id)) {
                prop_assert_eq!(element(&put.document, "l", "id", other), element(document.as_bytes(), "l", "id", other));
            }
            let count = |octets: &[u8]| serde_json::from_slice::<Value>(octets).unwrap()["l"].as_array().unwrap().len();
            prop_assert_eq!(count(&put.document), ids.len() + usize::from(!put.existed));
            let again = replace_element(&put.document, "l", "id", &id, new.as_bytes()).unwrap();
            prop_assert_eq!(again, Replaced { document: put.document, existed: true });
        }

        #[test]
        fn appended_elements_stand_behind_the_others(one in 0_usize..4, other in 0_usize..4, blank in "[ \n]{0,2}") {
            let list = |from: usize, count: usize| {
                let elements: Vec<_> = (from..from + count).map(|n| format!("{blank}{n}.0{blank}")).collect();
                format!("[{}]", elements.join(","))
            };
            let document = format!("{{\"l\":{},\"z\":1.0}}", list(0, one));
            let result = append_elements(document.as_bytes(), "l", list(one, other).as_bytes()).unwrap();
            let value: Value = serde_json::from_slice(&result).unwrap();
            let expected: Vec<Value> = (0..one + other).map(|n| serde_json::from_str(&format!("{n}.0")).unwrap()).collect();
            prop_assert_eq!(&value["l"], &Value::from(expected));
            let kept = result.ends_with(b",\"z\":1.0}");
            prop_assert!(kept);
        }

        #[test]
        fn no_octets_make_a_patch_panic(
            one in prop::collection::vec(any::<u8>(), 0..48), other in "[{}\\[\\]\":,a0 ]{0,16}", at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut damaged = LOCATION.as_bytes().to_vec();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            for (document, patch) in [(&*one, other.as_bytes()), (other.as_bytes(), &*one), (&*damaged, other.as_bytes()), (&*damaged, &*damaged)] {
                for result in [
                    apply(document, patch).ok(),
                    apply_appending(document, patch, "evses").ok(),
                    append_elements(document, "evses", patch).ok(),
                    replace_element(document, "evses", "uid", "E1", patch).ok().map(|put| put.document),
                    patch_element(document, "evses", "uid", "E1", patch).ok().flatten(),
                ].into_iter().flatten() {
                    prop_assert_eq!(json::check_syntax(&result), Ok(()));
                }
                let _ = element(document, "evses", "uid", "E1");
            }
        }
    }
}
