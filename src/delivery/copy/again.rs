//! What is told of an object whose copies were left behind: never an older state after a newer one (D-16).
//!
//! Nobody knows which receivers had already heard what. A copy that a later one made superfluous is not sent again; where only changes of
//! parts were left behind, and nothing later is on its way, the object is told once, whole and as it is kept now: whoever knows some of it
//! sees nothing go back, whoever knows nothing of it gets all. What is octet by octet what its owner pushed last goes as it came.
//!
//! Where a later change of a part waits in another process, the changes left behind go first, as they came.

use std::collections::VecDeque;

use crate::ocpi::modules::TARIFFS;
use crate::store::{CopyRow, MirrorRow};

/// Of copies of one object that were left behind, in order, those to send, as they are to be sent. `later` is what is on its way elsewhere and
/// came after all of them; `kept` is the object.
pub(super) fn told(left: Vec<CopyRow>, later: &[CopyRow], kept: Option<&MirrorRow>) -> Vec<CopyRow> {
    let mut needed: Vec<CopyRow> = Vec::with_capacity(left.len());
    for (place, row) in left.iter().enumerate() {
        let mut after = left.iter().skip(place + 1).chain(later);
        if !after.any(|later| supersedes(later, row)) {
            needed.push(row.clone());
        }
    }
    let (Some(newest), Some(kept), true) = (needed.last(), kept, later.is_empty()) else {
        return needed;
    };
    if let [only] = needed.as_slice()
        && only.revision == kept.revision
    {
        return needed;
    }
    let mut whole = newest.clone();
    whole.copy.tail = whole
        .copy
        .tail
        .split('/')
        .take(OWNER_AND_ID)
        .collect::<Vec<_>>()
        .join("/");
    if kept.deleted_at.is_none() {
        "PUT".clone_into(&mut whole.copy.method);
        whole.copy.version.clone_from(&kept.version);
        whole.copy.body = Some(kept.body.clone());
    } else if kept.module == TARIFFS.identifier {
        "DELETE".clone_into(&mut whole.copy.method);
        whole.copy.body = None;
    } else {
        // Gone from its owner's list: nothing but a tariff can be deleted by a push (LOC-06, TAR-04).
        return Vec::new();
    }
    vec![whole]
}

/// The empty one before the first slash, country code, party id, object id.
const OWNER_AND_ID: usize = 4;

/// Whether a later copy says everything an earlier one said: it replaces or removes the same thing, or what that is a part of.
pub(super) fn supersedes(later: &CopyRow, earlier: &CopyRow) -> bool {
    let whole = matches!(later.copy.method.as_str(), "PUT" | "DELETE");
    // A token of another type has the same path (TOK-08).
    let is_same = later.object_key == earlier.object_key;
    let below = earlier.copy.tail.strip_prefix(later.copy.tail.as_str());
    whole && is_same && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Which of a line that is full goes: the oldest that a later one has made superfluous, or, where there is none, the oldest.
pub(super) fn first_to_go<T>(line: &VecDeque<T>, is_superfluous: impl Fn(&T, &T) -> bool) -> usize {
    let superfluous = line.iter().enumerate().position(|(place, one)| {
        let mut later = line.iter().skip(place + 1);
        later.any(|later| is_superfluous(later, one))
    });
    superfluous.unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::*;
    use crate::store::NewCopy;

    /// A copy of DE/ABC's tariff T1.
    pub(in super::super) fn row(revision: i64, method: &str, tail: &str) -> CopyRow {
        CopyRow {
            copy: NewCopy {
                id: revision.to_string(),
                platform_id: "cpo".into(),
                sender: "DE/ABC".into(),
                sender_role: "CPO".into(),
                version: "2.2.1".into(),
                method: method.into(),
                tail: tail.into(),
                query: Some("a=b".into()),
                body: Some(format!("body {revision}")),
                correlation_id: String::new(),
                lease_owner: String::new(),
                lease_until: DateTime::UNIX_EPOCH,
                created_at: DateTime::UNIX_EPOCH,
            },
            module: "tariffs".into(),
            owner_key: "DE/ABC".into(),
            object_key: "T1".into(),
            revision,
        }
    }

    fn kept(revision: i64) -> MirrorRow {
        MirrorRow {
            id: String::new(),
            module: "tariffs".into(),
            country_code: "DE".into(),
            party_id: "ABC".into(),
            owner_key: "DE/ABC".into(),
            object_id: "T1".into(),
            object_key: "T1".into(),
            shelf: "DE/ABC".into(),
            version: "2.2".into(),
            last_updated: DateTime::UNIX_EPOCH,
            revision,
            deleted_at: None,
            listed: false,
            body: "as it is".into(),
        }
    }

    fn said(rows: &[CopyRow]) -> Vec<(i64, &str, &str, Option<&str>)> {
        rows.iter()
            .map(|row| {
                let copy = &row.copy;
                (
                    row.revision,
                    copy.method.as_str(),
                    copy.tail.as_str(),
                    copy.body.as_deref(),
                )
            })
            .collect()
    }

    const WHOLE: &str = "/DE/ABC/T1";
    const PART: &str = "/DE/ABC/T1/E1";

    // D-16, R-62
    #[test]
    fn of_what_was_left_behind_the_newest_state_is_told_and_no_older_one() {
        let puts = vec![row(3, "PUT", WHOLE), row(4, "PATCH", PART), row(5, "PUT", WHOLE)];
        let raw = [(5, "PUT", WHOLE, Some("body 5"))];
        assert_eq!(said(&told(puts.clone(), &[], Some(&kept(5)))), raw, "as it came");
        let now = [(5, "PUT", WHOLE, Some("as it is"))];
        assert_eq!(said(&told(puts.clone(), &[], Some(&kept(7)))), now, "overtaken");
        assert!(told(puts, &[row(6, "DELETE", WHOLE)], Some(&kept(6))).is_empty());
        let gone = MirrorRow {
            deleted_at: Some(DateTime::UNIX_EPOCH),
            ..kept(7)
        };
        let deleted = [(5, "DELETE", WHOLE, None)];
        assert_eq!(said(&told(vec![row(5, "PUT", WHOLE)], &[], Some(&gone))), deleted);
        let unlisted = MirrorRow {
            module: "locations".into(),
            ..gone
        };
        assert!(told(vec![row(5, "PUT", WHOLE)], &[], Some(&unlisted)).is_empty());
    }

    // D-16, R-62
    #[test]
    fn changes_of_parts_that_were_left_behind_become_the_whole_unless_more_is_on_its_way() {
        let parts = vec![row(4, "PATCH", PART), row(5, "PUT", "/DE/ABC/T1/E2")];
        let whole = told(parts.clone(), &[], Some(&kept(5)));
        assert_eq!(said(&whole), [(5, "PUT", WHOLE, Some("as it is"))]);
        assert_eq!(
            (whole[0].copy.version.as_str(), whole[0].copy.query.as_deref()),
            ("2.2", Some("a=b"))
        );
        let later = [row(6, "PATCH", PART)];
        assert!(
            told(parts.clone(), &later, Some(&kept(6))) == parts,
            "in order, before it"
        );
        assert!(told(vec![row(4, "PATCH", PART)], &[], Some(&kept(4))) == [row(4, "PATCH", PART)]);
    }

    // TOK-08
    #[test]
    fn a_token_of_another_type_makes_no_other_superfluous() {
        let mut other = row(2, "PUT", WHOLE);
        other.object_key = "APP_USER/T1".into();
        assert!(supersedes(&row(2, "PUT", WHOLE), &row(1, "PUT", WHOLE)));
        assert!(!supersedes(&other, &row(1, "PUT", WHOLE)));
        assert!(!supersedes(&row(2, "PUT", "/DE/ABC/T"), &row(1, "PUT", WHOLE)));
        assert!(!supersedes(&row(2, "PATCH", WHOLE), &row(1, "PATCH", WHOLE)));
    }
}
