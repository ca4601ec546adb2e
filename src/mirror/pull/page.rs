//! One page of somebody's list, and what of it is kept.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::super::Mirror;
use super::super::intake::{Push, next};
use super::super::named::Named;
use super::crawl::{List, Reading};
use crate::client::outcome::Outcome;
use crate::ocpi::envelope;
use crate::ocpi::fields::{Fields, elements};
use crate::ocpi::headers::{LINK, X_TOTAL_COUNT};
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{Module, TOKENS};
use crate::ocpi::versions::Version;
use crate::ocpi::{page, time, url};
use crate::store::{MirrorRow, MirrorWrite, Written};

/// Objects written in one commit.
const GROUP: usize = 100;

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    /// The octets of each object.
    pub(super) elements: Vec<String>,
    /// Absolute.
    pub(super) next: Option<String>,
    /// `X-Total-Count`.
    pub(super) total: Option<u64>,
    /// What time it is there.
    pub(super) timestamp: Option<DateTime<Utc>>,
    /// In bytes.
    pub(super) length: usize,
}

impl Page {
    /// Reads an answer to the GET of `asked`.
    ///
    /// # Errors
    /// Why it is no page, in words and without what is in it (F-06).
    pub(super) fn read(outcome: Outcome, asked: &str) -> Result<Page, String> {
        let answer = match outcome {
            Outcome::Answered(answer) => answer,
            other => return Err(other.to_string()),
        };
        let read = envelope::read(&answer.body);
        let said = |what: &str| format!("HTTP {}, {what}", answer.status);
        let envelope = read.map_err(|error| said(&error.to_string()))?;
        if !answer.is_success() || !envelope.status_code.is_success() {
            return Err(said(&format!("status code {}", envelope.status_code)));
        }
        let objects = match &envelope.data {
            Some(data) => elements(data.get(), "/data").map_err(|violation| said(&violation.to_string()))?,
            // F-04, T-38
            None => Vec::new(),
        };
        // Several headers mean what one with commas means (F-08).
        let links: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(LINK))
            .map(|(_, value)| value.as_str())
            .collect();
        let next = match page::next_of(&links.join(", ")) {
            Some(next) => Some(url::resolve(asked, &next).ok_or_else(|| said("the Link leads nowhere"))?),
            None => None,
        };
        Ok(Page {
            elements: objects.into_iter().map(str::to_owned).collect(),
            next,
            total: answer.header(X_TOTAL_COUNT).and_then(|total| total.trim().parse().ok()),
            timestamp: envelope.timestamp.and_then(|text| time::parse(&text).ok()),
            length: answer.body.len(),
        })
    }
}

/// The same page with an offset one less (P-11), where there is an offset.
pub(super) fn one_earlier(asked: &str) -> Option<String> {
    let (before, query) = asked.split_once('?')?;
    let mut found = false;
    let pairs: Option<Vec<String>> = query
        .split('&')
        .map(|pair| match pair.strip_prefix("offset=") {
            Some(offset) => {
                found = true;
                let offset: u64 = offset.parse().ok()?;
                Some(format!("offset={}", offset.checked_sub(1)?))
            }
            None => Some(pair.to_owned()),
        })
        .collect();
    pairs
        .filter(|_| found)
        .map(|pairs| format!("{before}?{}", pairs.join("&")))
}

impl Mirror {
    /// Keeps what is good, the owner's, and not older than what is here (T-31, T-32).
    pub(super) async fn take(&self, list: &List<'_>, objects: &[String], reading: &mut Reading) -> Result<(), String> {
        let List { module, owner, .. } = *list;
        for group in objects.chunks(GROUP) {
            let mut good = Vec::with_capacity(group.len());
            for octets in group {
                match understood(list.version(), module, owner, octets) {
                    Understood::Good(fetched) => {
                        reading.saw(&fetched.object_key);
                        good.push(*fetched);
                    }
                    Understood::Foreign => reading.found_foreign(),
                    Understood::Bad(why) => {
                        log::warn!(
                            "an object among the {} of {owner} is not usable: {why}",
                            module.identifier
                        );
                        reading.found_bad();
                    }
                }
            }
            let keys = good.iter().map(|row| row.object_key.clone()).collect();
            let here = self.store.mirror_get_all(module.identifier, &owner.key(), keys).await;
            let here = here.map_err(|error| error.to_string())?;
            let writes: Vec<MirrorWrite> = good
                .into_iter()
                .filter_map(|fetched| {
                    let known = here.iter().find(|row| row.object_key == fetched.object_key);
                    merged(known, fetched, reading.started)
                })
                .collect();
            if writes.is_empty() {
                continue;
            }
            // Overtaken: somebody pushed it in this moment, and that is newer.
            let written = self
                .store
                .mirror_write_all(writes)
                .await
                .map_err(|error| error.to_string())?;
            reading.took(written.iter().filter(|one| matches!(one, Written::Kept { .. })).count());
        }
        Ok(())
    }
}

enum Understood {
    Good(Box<MirrorRow>),
    Foreign,
    Bad(String),
}

/// An object of a list: whose it is says the object itself (T-31).
fn understood(version: Version, module: &'static Module, owner: &PartyId, octets: &str) -> Understood {
    let id_member = if module == &TOKENS { "uid" } else { "id" };
    let read = || {
        let fields = Fields::of_text(octets, String::new(), ["country_code", "party_id", id_member, "type"])?;
        let whose = (fields.required_text("country_code")?, fields.required_text("party_id")?);
        let token_type = match module == &TOKENS {
            true => Some(fields.required_text("type")?.into_owned()),
            false => None,
        };
        Ok::<_, crate::ocpi::refusal::Violation>((whose, fields.required_text(id_member)?.into_owned(), token_type))
    };
    let ((country_code, party_id), id, token_type) = match read() {
        Ok(read) => read,
        Err(violation) => return Understood::Bad(violation.to_string()),
    };
    if !owner.country_code().eq_ignore_ascii_case(&country_code) || !owner.party_id().eq_ignore_ascii_case(&party_id) {
        return Understood::Foreign;
    }
    let push = Push {
        named: Named {
            module,
            owner: owner.clone(),
            ids: vec![id],
            token_type,
        },
        method: "PUT",
        version,
        body: Some(Bytes::copy_from_slice(octets.as_bytes())),
    };
    let row = next(&push, None).and_then(|state| state.first(&push));
    match row {
        Ok(row) => Understood::Good(Box::new(MirrorRow { listed: true, ..row })),
        Err(refusal) => Understood::Bad(refusal.message),
    }
}

/// What a fetched object makes of what is here; nothing where nothing changes. What was pushed and is later stays as it is.
fn merged(known: Option<&MirrorRow>, fetched: MirrorRow, started: DateTime<Utc>) -> Option<MirrorWrite> {
    let Some(known) = known else {
        return Some(MirrorWrite {
            row: fetched,
            replaces: None,
            copy: None,
            missed: Vec::new(),
        });
    };
    // Removed while the list was read: the list may not know yet.
    if known.deleted_at.is_some_and(|at| at >= started) {
        return None;
    }
    let ours_is_later = known.deleted_at.is_none() && known.last_updated > fetched.last_updated;
    let row = MirrorRow {
        id: known.id.clone(),
        revision: known.revision + 1,
        ..if ours_is_later {
            MirrorRow {
                listed: true,
                ..known.clone()
            }
        } else {
            fetched
        }
    };
    let is_same = known.listed && known.deleted_at.is_none() && known.body == row.body;
    (!is_same).then_some(MirrorWrite {
        replaces: Some(known.revision),
        row,
        copy: None,
        missed: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::client::outcome::Answer;
    use crate::ocpi::modules::TARIFFS;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
        Outcome::Answered(Answer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Bytes::from(body.to_owned()),
        })
    }

    const ASKED: &str = "https://a.example/odd/tariffs?k=1&offset=10&limit=5";

    // F-04, F-06, F-08
    #[test]
    fn a_page_is_a_list_in_an_envelope_and_its_link_may_be_relative_or_one_of_several() {
        let body = r#"{"data":[ {"a":1.0} ,2],"status_code":1000,"timestamp":"2026-11-21T10:00:00Z"}"#;
        let headers = [
            ("link", "<x>; rel=prev"),
            ("Link", "</next?o=1>; rel=next"),
            ("x-total-count", "7"),
        ];
        let page = Page::read(answer(200, &headers, body), ASKED).unwrap();
        assert_eq!(page.elements, ["{\"a\":1.0}", "2"]);
        assert_eq!(page.next.as_deref(), Some("https://a.example/next?o=1"));
        assert_eq!((page.total, page.length), (Some(7), body.len()));
        assert!(page.timestamp.is_some());
        let none = Page::read(answer(200, &[], r#"{"data":null,"status_code":1000}"#), ASKED).unwrap();
        assert!(none.elements.is_empty() && none.next.is_none() && none.timestamp.is_none());
        for (status, body) in [
            (200, r#"{"data":{"a":[]},"status_code":1000}"#),
            (200, r#"{"data":[],"status_code":2001}"#),
            (404, r#"{"data":[],"status_code":1000}"#),
            (200, "[]"),
            (200, "<html>"),
        ] {
            assert!(Page::read(answer(status, &[], body), ASKED).is_err(), "{body}");
        }
        assert!(Page::read(Outcome::TimedOut, ASKED).is_err());
    }

    // P-11
    #[test]
    fn one_object_earlier_is_the_same_page_with_another_offset() {
        assert_eq!(
            one_earlier(ASKED).as_deref(),
            Some("https://a.example/odd/tariffs?k=1&offset=9&limit=5")
        );
        for url in [
            "https://a/?offset=0",
            "https://a/?page=3",
            "https://a/",
            "https://a/?offset=x",
        ] {
            assert_eq!(one_earlier(url), None, "{url}");
        }
    }

    fn tariff(owner: &str, updated: &str) -> String {
        format!(
            r#"{{"country_code":"DE","party_id":"{owner}","id":"T1","currency":"EUR","elements":[{{"price_components":[{{"type":"FLAT","price":1.50,"step_size":0}}]}}],"last_updated":"{updated}"}}"#
        )
    }

    fn fetched(updated: &str) -> MirrorRow {
        let owner = PartyId::from_slash("DE/ABC").unwrap();
        match understood(Version::V2_2, &TARIFFS, &owner, &tariff("abc", updated)) {
            Understood::Good(row) => *row,
            _ => panic!("good"),
        }
    }

    // T-48, D-08
    #[test]
    fn what_a_peer_of_another_version_lists_is_kept_as_of_that_version() {
        assert_eq!(fetched("2026-11-21T10:00:00Z").version, "2.2");
    }

    // T-31, T-32
    #[test]
    fn a_bad_object_costs_itself_and_a_foreign_one_is_passed_over() {
        let owner = PartyId::from_slash("DE/ABC").unwrap();
        let of = |octets: &str| understood(Version::V2_2, &TARIFFS, &owner, octets);
        assert!(matches!(
            of(&tariff("ABC", "2026-11-21T10:00:00Z")),
            Understood::Good(_)
        ));
        assert!(matches!(
            of(&tariff("XYZ", "2026-11-21T10:00:00Z")),
            Understood::Foreign
        ));
        for bad in [
            tariff("ABC", "yesterday"),
            "7".into(),
            "{}".into(),
            "{\"country_code\":\"DE\",\"party_id\":\"ABC\",\"id\":\"T1\"}".into(),
        ] {
            assert!(matches!(of(&bad), Understood::Bad(_)), "{bad}");
        }
    }

    #[test]
    fn what_was_pushed_and_is_later_stays_and_what_did_not_change_is_not_written() {
        let noon: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let (old, new) = (fetched("2026-11-21T10:00:00Z"), fetched("2026-11-21T11:00:00Z"));
        assert!(merged(None, old.clone(), noon).unwrap().replaces.is_none());
        assert!(merged(Some(&old), old.clone(), noon).is_none());
        let write = merged(Some(&old), new.clone(), noon).unwrap();
        assert!(
            write.replaces == Some(1)
                && write.row.id == old.id
                && write.row.body == new.body
                && write.row.revision == 2
        );
        assert!(merged(Some(&new), old.clone(), noon).is_none());
        let pushed = MirrorRow {
            listed: false,
            ..new.clone()
        };
        let write = merged(Some(&pushed), old.clone(), noon).unwrap();
        assert!(
            write.row.listed && write.row.body == new.body,
            "known to be listed from now on"
        );
        let gone = |at: &str| MirrorRow {
            deleted_at: Some(at.parse().unwrap()),
            ..new.clone()
        };
        assert!(merged(Some(&gone("2026-11-21T12:00:01Z")), old.clone(), noon).is_none());
        assert!(
            merged(Some(&gone("2026-11-21T11:59:00Z")), old, noon)
                .unwrap()
                .row
                .deleted_at
                .is_none()
        );
    }
}
