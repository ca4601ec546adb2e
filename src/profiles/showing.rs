//! What providers are shown of a Session that went by: a copy for each whose contract says so (smart-charging.md 2.5, ECI-08, ECI-12, ECI-14).
//!
//! A provider that has been shown the Session gets its changes as the CPO made them; one that has not gets it whole, from the copy beside the
//! ledger's row. That copy is there as long as somebody is to see it. What is decided here changes nothing about the CPO's own octets.

use chrono::{DateTime, Utc};

use super::contract::{Contract, ContractKind, Privacy};
use super::pseudonym;
use super::session::{Seen, Session};
use crate::ocpi::ids::PartyId;
use crate::ocpi::patch;

/// The largest Session that is kept for showing, in octets: a week of charging periods, one each minute. A larger one is not shown.
const LARGEST: usize = 1024 * 1024;

/// A Session as it went by.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// PUT, or PATCH.
    pub is_whole: bool,
    /// What it said.
    pub body: &'a str,
    /// The Session as it was before, where somebody else kept it: asked for only if there is no copy.
    pub earlier: Option<&'a str>,
}

/// What one provider is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The contract that allows it.
    pub contract: Contract,
    /// In whose name: the CPO's, or that of the eMSP it acts for.
    pub from: PartyId,
    /// The change, for one who knows the rest; otherwise it is told the whole.
    pub change: Option<String>,
    /// The Session.
    pub whole: String,
}

/// A Session went by: the ledger learns of it, and whoever may see it is to be told.
pub fn pass(
    session: &mut Session,
    seen: Seen,
    push: &Push<'_>,
    contracts: &[Contract],
    now: DateTime<Utc>,
) -> Vec<Showing> {
    let was_over = session.is_over;
    session.seen(seen);
    if was_over {
        return Vec::new();
    }
    let allowed = allowed(session, contracts, now);
    let (copy, known) = (session.copy.take(), std::mem::take(&mut session.shown_to));
    if allowed.is_empty() {
        return Vec::new();
    }
    let Some(whole) = whole(copy, push) else {
        return Vec::new();
    };
    let show = |contract: &Contract, body: &str| match contract.privacy {
        Privacy::Full => Some(body.to_owned()),
        Privacy::Pseudonymous => pseudonym::session(body, contract.secret.expose()),
    };
    let mut showings = Vec::new();
    for contract in allowed {
        let is_change = !push.is_whole && known.contains(&contract.scsp);
        let change = is_change.then(|| show(contract, push.body)).flatten();
        let Some(whole) = show(contract, &whole) else { continue };
        session.shown_to.push(contract.scsp.clone());
        showings.push(Showing {
            from: match contract.kind {
                ContractKind::T2 => contract.grantor.clone(),
                ContractKind::T3 => session.cpo.clone(),
            },
            contract: contract.clone(),
            change,
            whole,
        });
    }
    session.copy = Some(whole).filter(|_| !session.is_over);
    showings
}

/// One contract for each provider that is to see it, the CPO's before the eMSP's.
fn allowed<'a>(session: &Session, contracts: &'a [Contract], now: DateTime<Utc>) -> Vec<&'a Contract> {
    let shows = |one: &&Contract| one.shows_sessions(&session.cpo, session.emsp.as_ref(), session.place(), now);
    let mut allowed: Vec<&Contract> = Vec::new();
    let shown = contracts.iter().filter(shows);
    let (cpos, emsps): (Vec<&Contract>, Vec<&Contract>) = shown.partition(|one| one.kind == ContractKind::T3);
    for contract in cpos.into_iter().chain(emsps) {
        let gets_it = session.emsp.as_ref() == Some(&contract.scsp);
        if !gets_it && !allowed.iter().any(|one| one.scsp == contract.scsp) {
            allowed.push(contract);
        }
    }
    allowed
}

/// The Session with what was said now (SES-12). `None` for a change of what nobody kept, or what cannot be read.
fn whole(copy: Option<String>, push: &Push<'_>) -> Option<String> {
    let whole = if push.is_whole {
        push.body.to_owned()
    } else {
        let before = copy.as_deref().or(push.earlier)?;
        let changed = patch::apply_appending(before.as_bytes(), push.body.as_bytes(), "charging_periods");
        String::from_utf8(changed.ok()?).ok()?
    };
    Some(whole).filter(|whole| whole.len() <= LARGEST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::ocpi::time;

    const WHOLE: &str =
        r#"{"id":"S1","kwh":1.00,"charging_periods":[{"tariff_id":"1"}],"cdr_token":{"uid":"ABCDEF12"}}"#;

    fn contract(id: &str, document: &Value) -> Contract {
        Contract::read(id, document.as_object().unwrap()).unwrap()
    }

    fn t3() -> Contract {
        contract(
            "t3",
            &json!({"kind": "T3", "grantor": "NL/CPA", "scsp": "BE/SCS", "from": "2020-01-01T00:00:00Z", "privacy": "full"}),
        )
    }

    fn t2() -> Contract {
        contract(
            "t2",
            &json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "FR/SCT", "from": "2020-01-01T00:00:00Z", "relay": "hub"}),
        )
    }

    fn seen() -> Seen {
        Seen {
            emsp: PartyId::from_slash("DE/MSA").ok(),
            ..Seen::default()
        }
    }

    fn pass_by(
        session: &mut Session,
        is_whole: bool,
        body: &str,
        contracts: &[Contract],
    ) -> Vec<(String, String, Option<String>, String)> {
        let push = Push {
            is_whole,
            body,
            earlier: None,
        };
        let now = time::parse("2026-11-21T12:00:00Z").unwrap();
        let showings = pass(session, seen(), &push, contracts, now);
        showings
            .into_iter()
            .map(|one| (one.contract.id, one.from.to_string(), one.change, one.whole))
            .collect()
    }

    fn session() -> Session {
        Session::new(&PartyId::from_slash("NL/CPA").unwrap(), "S1")
    }

    // ECI-12, ECI-14
    #[test]
    fn who_has_seen_a_session_gets_its_changes_and_who_has_not_gets_it_whole() {
        let mut session = session();
        let first = pass_by(&mut session, true, WHOLE, &[t3()]);
        assert_eq!(first, [("t3".to_owned(), "NL/CPA".to_owned(), None, WHOLE.to_owned())]);
        let change = r#"{"kwh":2.00,"charging_periods":[{"tariff_id":"2"}]}"#;
        let second = pass_by(&mut session, false, change, &[t2(), t3()]);
        let whole = r#"{"id":"S1","kwh":2.00,"charging_periods":[{"tariff_id":"1"},{"tariff_id":"2"}],"cdr_token":{"uid":"ABCDEF12"}}"#;
        assert_eq!(
            second[0],
            (
                "t3".to_owned(),
                "NL/CPA".to_owned(),
                Some(change.to_owned()),
                whole.to_owned()
            )
        );
        let (id, from, is_change, shown) = &second[1];
        assert_eq!((id.as_str(), from.as_str(), is_change), ("t2", "DE/MSA", &None));
        assert!(
            shown.contains("\"kwh\":2.00") && shown.contains("{\"tariff_id\":\"1\"}") && !shown.contains("ABCDEF12")
        );
        assert!(
            pass_by(&mut session, false, change, &[t2(), t3()])
                .iter()
                .all(|one| one.2.is_some())
        );
        // Who may not any more and then again may has missed something.
        assert!(pass_by(&mut session, false, change, &[]).is_empty() && session.copy.is_none());
        assert!(
            pass_by(&mut session, false, change, &[t3()]).is_empty(),
            "nobody kept the rest"
        );
        assert_eq!(pass_by(&mut session, true, WHOLE, &[t3()])[0].2, None);
    }

    // ECI-08
    #[test]
    fn the_end_is_shown_and_nothing_is_kept_or_shown_after_it() {
        let mut session = session();
        pass_by(&mut session, true, WHOLE, &[t3()]);
        let now = time::parse("2026-11-21T12:00:00Z").unwrap();
        let push = Push {
            is_whole: false,
            body: r#"{"status":"COMPLETED"}"#,
            earlier: None,
        };
        let over = Seen {
            is_over: true,
            ..seen()
        };
        assert_eq!(pass(&mut session, over, &push, &[t3()], now).len(), 1);
        assert_eq!(session.copy, None);
        assert!(pass(&mut session, seen(), &push, &[t3()], now).is_empty());
    }

    // ECI-12
    #[test]
    fn one_provider_gets_one_copy_however_many_let_it_and_the_payer_none() {
        let same = contract(
            "t2",
            &json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "BE/SCS", "from": "2020-01-01T00:00:00Z", "relay": "hub"}),
        );
        let shown = pass_by(
            &mut session(),
            true,
            WHOLE,
            &[
                same,
                t3(),
                Contract {
                    id: "other".to_owned(),
                    ..t3()
                },
            ],
        );
        assert_eq!(shown.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["t3"]);
        let payer = Contract {
            scsp: PartyId::from_slash("DE/MSA").unwrap(),
            ..t3()
        };
        assert!(pass_by(&mut session(), true, WHOLE, &[payer]).is_empty());
    }

    // ECI-12
    #[test]
    fn a_session_whose_beginning_somebody_else_kept_is_shown_whole_and_a_huge_one_is_not_kept() {
        let now = time::parse("2026-11-21T12:00:00Z").unwrap();
        let push = Push {
            is_whole: false,
            body: r#"{"kwh":3}"#,
            earlier: Some(WHOLE),
        };
        let shown = pass(&mut session(), seen(), &push, &[t3()], now);
        assert!(shown[0].change.is_none() && shown[0].whole.contains("\"kwh\":3"));
        let mut session = session();
        let huge = format!(r#"{{"id":"S1","x":"{}"}}"#, "y".repeat(LARGEST));
        assert!(pass_by(&mut session, true, &huge, &[t3()]).is_empty() && session.copy.is_none());
    }
}
