//! What the store promises, on both databases.
//!
//! Every function below is one promise and takes a [`Place`]: a database of its own, empty. The list at the end runs each of them on SQLite
//! and on PostgreSQL. PostgreSQL is a server named by `TRUEWATT_TEST_POSTGRES` on which databases may be created; without it that half says
//! so and is skipped. Two stores on one place are two processes on one database.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "store/consequences.rs"]
mod consequences;
#[path = "store/heard.rs"]
mod heard;
#[path = "store/lent.rs"]
mod lent;
#[path = "store/hints.rs"]
mod hints;
#[path = "store/missed.rs"]
mod missed;
#[path = "store/notices.rs"]
mod notices;
#[path = "store/place.rs"]
mod place;
#[path = "store/presence.rs"]
mod presence;
#[path = "store/registrations.rs"]
mod registrations;
#[path = "store/registry.rs"]
mod registry;
#[path = "store/retention.rs"]
mod retention;
#[path = "store/steering.rs"]
mod steering;
#[path = "store/world.rs"]
mod world;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::TimeDelta;
use consequences::*;
use futures_util::future::join_all;
use heard::*;
use hints::*;
use lent::*;
use missed::*;
use notices::*;
use place::Place;
use presence::*;
use registrations::*;
use registry::*;
use retention::*;
use steering::*;
use truewatt::store::*;
use world::*;

// ---- taking ----

/// Design 3.6.4, CDR-20.
async fn a_cdr_is_taken_with_verdict_duty_blocks_and_journal_or_not_at_all(place: &Place) {
    let store = place.store().await;
    let good = cdr("C-1").with_blocks(["aa", "bb"]);
    assert_eq!(store.cdr_take(good.clone()).await.unwrap(), Taken::New);

    assert_eq!(store.cdr_find("DE/ABC", "c-1").await.unwrap().unwrap(), good.row);
    assert_eq!(store.verdicts(&good.row.id).await.unwrap(), [good.report.as_str()]);
    let duty = store.duty_get(&good.duty.as_ref().unwrap().id).await.unwrap().unwrap();
    assert_eq!(
        (duty.state.as_str(), duty.attempts, duty.lease_owner.as_deref()),
        ("owed", 0, Some("first"))
    );
    assert_eq!(store.blocks_used(&good.blocks).await.unwrap().len(), 2);
    let (lines, _) = store
        .journal_find(about(&good.row.correlation_id), None, 10)
        .await
        .unwrap();
    let kept = JournalEntry {
        id: lines[0].id.clone(),
        ..good.journal.clone()
    };
    assert_eq!(lines, [kept], "only its id says when instead of when it was made");

    // The journal is the last thing written; a line that exists already lets the commit fail at its very end.
    let mut bad = cdr("C-2").with_blocks(["cc"]);
    bad.journal.id = good.journal.id.clone();
    assert!(matches!(
        store.cdr_take(bad.clone()).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.cdr_find("DE/ABC", "c-2").await.unwrap(), None);
    assert_eq!(store.cdr_by_row(&bad.row.id).await.unwrap(), None);
    assert_eq!(store.verdicts(&bad.row.id).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.duty_get(&bad.duty.as_ref().unwrap().id).await.unwrap(), None);
    assert_eq!(store.blocks_used(&bad.blocks).await.unwrap(), []);
}

async fn octets_come_back_as_they_were_posted(place: &Place) {
    let store = place.store().await;
    let large = format!("{{\"x\": \"{}\"}}", "0123456789".repeat(1_000_000));
    for (id, body) in [
        ("C-1", "{ \"total\" : 0.10000000000000000001, \"b\":1,\"a\":2 }\r\n\t"),
        ("C-2", "{\"name\":\"Łódź 🔌 \\u0000 'quoted' \\\" $1 ?1 %s\"}"),
        ("C-3", large.as_str()),
    ] {
        let new = cdr(id).with_body(body);
        store.cdr_take(new.clone()).await.unwrap();
        assert!(
            store.cdr_by_row(&new.row.id).await.unwrap().unwrap().body == body,
            "{id}"
        );
    }
    let page = store.cdr_page(pull("NL/EMS"), None, 0, 10).await.unwrap();
    assert!(page.rows[2].body == large);
}

async fn fifty_concurrent_takes_of_one_cdr_store_one(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let takes = (0..50).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { store.cdr_take(cdr("C-1").with_blocks(["aa"])).await.unwrap() })
    });
    let outcomes: Vec<Taken> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Taken::New).count(), 1);
    let stored = one.cdr_find("DE/ABC", "c-1").await.unwrap().unwrap();
    for outcome in outcomes {
        assert!(
            outcome == Taken::New || outcome == Taken::Known(Box::new(stored.clone())),
            "{outcome:?}"
        );
    }
    assert_eq!(one.cdr_revisions("DE/ABC", "c-1").await.unwrap().len(), 1);
    assert_eq!(one.duty_list(None, None, 100).await.unwrap().0.len(), 1);
}

async fn one_bad_member_of_a_crowd_harms_no_other(place: &Place) {
    let store = place.store().await;
    store.cdr_take(cdr("C-13").with_blocks(["aa"])).await.unwrap();
    let takes = (0..120).map(|n| {
        let store = store.clone();
        let blocks = if n == 77 { "aa".to_owned() } else { format!("block {n}") };
        tokio::spawn(async move {
            store
                .cdr_take(cdr(&format!("C-{n}")).with_blocks([blocks.as_str()]))
                .await
                .unwrap()
        })
    });
    let outcomes: Vec<Taken> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
    for (n, outcome) in outcomes.iter().enumerate() {
        match n {
            13 => assert!(matches!(outcome, Taken::Known(_)), "{outcome:?}"),
            77 => assert!(matches!(outcome, Taken::BlocksUsed(_)), "{outcome:?}"),
            _ => assert_eq!(*outcome, Taken::New),
        }
    }
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 119);
}

/// A commit whose answer was lost can be asked for again by whoever made it.
async fn taking_the_very_same_again_is_not_a_second_one(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1").with_blocks(["aa"]);
    assert_eq!(store.cdr_take(new.clone()).await.unwrap(), Taken::New);
    assert_eq!(store.cdr_take(new.clone()).await.unwrap(), Taken::New);
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 1);
}

/// Design 3.5, "Replay".
async fn a_signed_block_serves_one_cdr_also_between_two_stores(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    for round in 0..10 {
        let block = format!("block {round}");
        let take = |store: &Store, id: &str| {
            let (store, new) = (
                store.clone(),
                cdr(&format!("{id}-{round}")).with_blocks(["own", &block]),
            );
            tokio::spawn(async move { store.cdr_take(new.with_own_block(0)).await.unwrap() })
        };
        let (first, second) = (take(&one, "A"), take(&other, "B"));
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == Taken::New).count(),
            1,
            "{outcomes:?}"
        );
        let winner = if outcomes[0] == Taken::New { "a" } else { "b" };
        let used = BlockUse {
            digest: block.clone(),
            fingerprint: FINGERPRINT.to_owned(),
            cpo_key: "DE/ABC".to_owned(),
            cdr_key: format!("{winner}-{round}"),
        };
        assert!(outcomes.contains(&Taken::BlocksUsed(vec![used])), "{outcomes:?}");
    }
    // The same bytes under another key are another block.
    let mut same_bytes = cdr("C-9").with_blocks(["block 0"]);
    same_bytes.blocks[0].fingerprint = "another key".to_owned();
    assert_eq!(one.cdr_take(same_bytes).await.unwrap(), Taken::New);
}

/// A CDR may carry a block twice, and uses it up once.
async fn a_block_twice_in_one_cdr_is_no_replay(place: &Place) {
    let store = place.store().await;
    assert_eq!(
        store.cdr_take(cdr("C-1").with_blocks(["aa", "aa"])).await.unwrap(),
        Taken::New
    );
}

async fn a_credit_cdr_frees_the_blocks(place: &Place) {
    let store = place.store().await;
    let original = cdr("C-1").with_blocks(["aa", "bb"]);
    store.cdr_take(original.clone()).await.unwrap();
    assert!(matches!(
        store.cdr_take(cdr("C-2").with_blocks(["aa"])).await.unwrap(),
        Taken::BlocksUsed(_)
    ));

    // A credit CDR repeats the signed data of what it credits, and uses it up itself.
    let mut credit = cdr("C-1-credit").with_blocks(["aa"]);
    credit.frees_blocks_of = Some(("DE/ABC".to_owned(), "c-1".to_owned()));
    assert_eq!(store.cdr_take(credit.clone()).await.unwrap(), Taken::New);
    assert_eq!(store.blocks_used(&original.blocks).await.unwrap().len(), 1);
    assert_eq!(
        store.cdr_take(cdr("C-3").with_blocks(["bb"])).await.unwrap(),
        Taken::New
    );
    // Once freed is freed once: the credit's own use stays.
    assert!(matches!(
        store.cdr_take(cdr("C-4").with_blocks(["aa"])).await.unwrap(),
        Taken::BlocksUsed(_)
    ));
}

/// Design 3.5, "Replay": what is free again is so by a credit that stands.
async fn a_rejected_credit_gives_back_what_nobody_else_uses_by_now(place: &Place) {
    let store = place.store().await;
    let original = cdr("C-1").with_blocks(["aa", "bb"]);
    store.cdr_take(original.clone()).await.unwrap();
    let credit_of_it = |name: &str| {
        let mut credit = cdr(name);
        credit.row.credit_reference = some("c-1");
        credit.frees_blocks_of = Some(("DE/ABC".to_owned(), "c-1".to_owned()));
        credit
    };
    let (first, second) = (credit_of_it("CR-1"), credit_of_it("CR-2"));
    store.cdr_take(first.clone()).await.unwrap();
    assert_eq!(store.blocks_used(&original.blocks).await.unwrap(), []);
    store.cdr_take(cdr("C-2").with_blocks(["bb"])).await.unwrap();
    assert!(store.cdr_settle(settlement(&first, Settled::Rejected)).await.unwrap());
    let users = |used: Vec<BlockUse>| used.into_iter().map(|one| one.cdr_key).collect::<Vec<_>>();
    assert_eq!(
        users(store.blocks_used(&original.blocks).await.unwrap()),
        ["c-1", "c-2"]
    );

    // Two credits: the rejection of one leaves what the other frees as well.
    store.cdr_take(second.clone()).await.unwrap();
    let third = credit_of_it("CR-3");
    store.cdr_take(third.clone()).await.unwrap();
    assert!(store.cdr_settle(settlement(&second, Settled::Rejected)).await.unwrap());
    assert_eq!(users(store.blocks_used(&original.blocks).await.unwrap()), ["c-2"]);
    assert!(store.cdr_settle(settlement(&third, Settled::Rejected)).await.unwrap());
    assert_eq!(
        users(store.blocks_used(&original.blocks).await.unwrap()),
        ["c-1", "c-2"]
    );
}

/// Design 3.6.2 and 3.6.5: a repost is possible, as a new revision; both are kept.
async fn a_rejected_cdr_frees_its_blocks_and_its_id(place: &Place) {
    let store = place.store().await;
    let first = cdr("C-1").with_blocks(["aa"]);
    store.cdr_take(first.clone()).await.unwrap();
    let mut second = cdr("C-1").with_blocks(["aa"]).with_body("{\"corrected\":true}");
    second.row.revision = 2;
    second.duty.as_mut().unwrap().revision = 2;
    second.replaces_rejected = Some(1);
    // Not rejected yet: there is nothing to replace.
    assert_eq!(
        store.cdr_take(second.clone()).await.unwrap(),
        Taken::Known(Box::new(first.row.clone()))
    );

    assert!(store.cdr_settle(settlement(&first, Settled::Rejected)).await.unwrap());
    assert_eq!(
        store.cdr_by_row(&first.row.id).await.unwrap().unwrap().delivery,
        "rejected"
    );
    assert_eq!(store.blocks_used(&first.blocks).await.unwrap(), []);
    assert_eq!(
        store.cdr_page(pull("NL/EMS"), None, 0, 10).await.unwrap().rows[0].body,
        first.row.body
    );

    assert_eq!(store.cdr_take(second.clone()).await.unwrap(), Taken::New);
    assert_eq!(
        store.cdr_find("DE/ABC", "c-1").await.unwrap().unwrap().body,
        second.row.body
    );
    let revisions = store.cdr_revisions("DE/ABC", "c-1").await.unwrap();
    assert_eq!(revisions.iter().map(|row| row.revision).collect::<Vec<_>>(), [1, 2]);
    let page = store.cdr_page(pull("NL/EMS"), None, 0, 10).await.unwrap();
    assert_eq!(
        page.rows.iter().map(|row| &row.body).collect::<Vec<_>>(),
        [&second.row.body]
    );
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 1);
}

async fn a_rejected_revision_is_replaced_once(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let first = cdr("C-1");
    one.cdr_take(first.clone()).await.unwrap();
    one.cdr_settle(settlement(&first, Settled::Rejected)).await.unwrap();
    let takes = (0..20).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        let mut new = cdr("C-1");
        new.row.revision = 2;
        new.replaces_rejected = Some(1);
        tokio::spawn(async move { store.cdr_take(new).await.unwrap() })
    });
    let outcomes: Vec<Taken> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == Taken::New).count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(one.cdr_revisions("DE/ABC", "c-1").await.unwrap().len(), 2);
}

// ---- settling ----

async fn a_delivery_ends_its_duty_and_keeps_what_the_receiver_said(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1");
    store.cdr_take(new.clone()).await.unwrap();
    let mut end = settlement(&new, Settled::Delivered);
    end.receiver_location = Some("https://emsp.example/cdrs/1".to_owned());
    end.first_answer = Some(FirstAnswer {
        http_status: 201,
        status_code: 1000,
        message: Some("thanks".to_owned()),
    });
    assert!(store.cdr_settle(end.clone()).await.unwrap());

    let row = store.cdr_by_location(&new.row.location_id).await.unwrap().unwrap();
    assert_eq!(
        (row.delivery.as_str(), &row.receiver_location),
        ("delivered", &end.receiver_location)
    );
    assert_eq!(row.first_answer, end.first_answer);
    assert_eq!(store.duty_list(None, None, 10).await.unwrap().0, []);
    assert_eq!(store.attempts(&new.row.id).await.unwrap(), [end.attempt.clone()]);
    let (lines, _) = store.journal_find(about("settled"), None, 10).await.unwrap();
    assert_eq!(lines.len(), 1);
    // Once is once.
    assert!(!store.cdr_settle(settlement(&new, Settled::Delivered)).await.unwrap());
    assert_eq!(store.attempts(&new.row.id).await.unwrap().len(), 1);
}

async fn two_hundred_deliveries_at_once_all_end(place: &Place) {
    let store = place.store().await;
    let all: Vec<NewCdr> = (0..200).map(|n| cdr(&format!("C-{n}"))).collect();
    join_all(all.iter().map(|new| store.cdr_take(new.clone())))
        .await
        .into_iter()
        .for_each(|taken| assert_eq!(taken.unwrap(), Taken::New));
    // Each is settled twice; one of the two did it.
    let ends = all.iter().chain(&all).map(|new| {
        let (store, end) = (store.clone(), settlement(new, Settled::Delivered));
        tokio::spawn(async move { store.cdr_settle(end).await.unwrap() })
    });
    let done: Vec<bool> = join_all(ends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 200);
    assert_eq!(
        store.overview().await.unwrap().cdrs_by_delivery,
        [("delivered".to_owned(), 200)]
    );
    assert_eq!(store.duty_list(None, None, 10).await.unwrap().0, []);
    for new in &all {
        assert_eq!(store.attempts(&new.row.id).await.unwrap().len(), 1);
    }
}

async fn settling_an_older_revision_changes_nothing(place: &Place) {
    let store = place.store().await;
    let mut new = cdr("C-1");
    new.duty.as_mut().unwrap().revision = 2;
    store.cdr_take(new.clone()).await.unwrap();
    let before = store.cdr_by_row(&new.row.id).await.unwrap();
    let postponed = Settled::Postponed {
        next_attempt_at: at(60),
        outcome: "timeout".to_owned(),
    };
    for result in [
        Settled::Delivered,
        Settled::Rejected,
        Settled::Dead,
        Settled::Unanswered,
        postponed,
    ] {
        let mut end = settlement(&new, result.clone());
        end.duty_revision = 1;
        assert!(!store.cdr_settle(end).await.unwrap(), "{result:?}");
        assert_eq!(store.cdr_by_row(&new.row.id).await.unwrap(), before, "{result:?}");
        assert_eq!(store.attempts(&new.row.id).await.unwrap(), [], "{result:?}");
    }
    assert_eq!(store.journal_find(about("settled"), None, 10).await.unwrap().0, []);
}

async fn what_nobody_answered_is_in_custody_and_due_again(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1");
    store.cdr_take(new.clone()).await.unwrap();
    let mut end = settlement(
        &new,
        Settled::Postponed {
            next_attempt_at: at(60),
            outcome: "timed out".to_owned(),
        },
    );
    end.first_answer = Some(FirstAnswer {
        http_status: 503,
        status_code: 0,
        message: None,
    });
    assert!(store.cdr_settle(end.clone()).await.unwrap());
    let row = store.cdr_by_row(&new.row.id).await.unwrap().unwrap();
    assert_eq!(
        (row.delivery.as_str(), row.first_answer),
        ("in_custody", end.first_answer.clone())
    );
    let duty = store.duty_get(&end.duty_id).await.unwrap().unwrap();
    assert_eq!((duty.attempts, duty.lease_owner, duty.lease_until), (1, None, None));
    assert_eq!(
        (duty.next_attempt_at, duty.last_outcome.as_deref()),
        (at(60), Some("timed out"))
    );
    assert_eq!(store.duty_lease("w", at(59), at(90), 10).await.unwrap(), []);
    assert_eq!(store.duty_lease("w", at(60), at(90), 10).await.unwrap().len(), 1);
    // A later answer does not replace the first one: a repeat of the POST must hear what the first one heard.
    let mut later = settlement(&new, Settled::Delivered);
    later.first_answer = Some(FirstAnswer {
        http_status: 200,
        status_code: 1000,
        message: None,
    });
    assert!(store.cdr_settle(later).await.unwrap());
    assert_eq!(
        store.cdr_by_row(&new.row.id).await.unwrap().unwrap().first_answer,
        end.first_answer
    );
    assert_eq!(store.attempts(&new.row.id).await.unwrap().len(), 2);
}

/// Design 3.6.5: dead duties are never deleted by themselves.
async fn a_dead_duty_stays_and_can_be_retried_or_forgiven(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1");
    let duty = new.duty.clone().unwrap();
    store.cdr_take(new.clone()).await.unwrap();
    assert!(store.cdr_settle(settlement(&new, Settled::Dead)).await.unwrap());
    assert_eq!(store.cdr_by_row(&new.row.id).await.unwrap().unwrap().delivery, "dead");
    assert_eq!(
        store.duty_lease("w", at(1_000_000), at(1_000_030), 10).await.unwrap(),
        []
    );
    assert_eq!(store.duty_list(Some("dead"), None, 10).await.unwrap().0.len(), 1);

    let now = duty.give_up_at + TimeDelta::days(7);
    assert!(store.duty_retry(&duty.id, "Ada", now).await.unwrap());
    let again = store.duty_get(&duty.id).await.unwrap().unwrap();
    assert_eq!((again.state.as_str(), again.next_attempt_at), ("owed", now));
    assert_eq!(again.give_up_at, now + (duty.give_up_at - duty.created_at));
    assert_eq!(
        store.cdr_by_row(&new.row.id).await.unwrap().unwrap().delivery,
        "in_custody"
    );

    assert!(
        store
            .duty_forgive(&duty.id, "settled by hand", "Ada", now)
            .await
            .unwrap()
    );
    assert_eq!(store.duty_get(&duty.id).await.unwrap(), None);
    assert_eq!(
        store.cdr_by_row(&new.row.id).await.unwrap().unwrap().delivery,
        "available"
    );
    let (lines, _) = store
        .journal_find(
            JournalFilter {
                object: some("DE/ABC/c-1"),
                ..JournalFilter::default()
            },
            None,
            10,
        )
        .await
        .unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.outcome == "forgiven by operator Ada: settled by hand"),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.method == "RETRY" && line.outcome.ends_with("by operator Ada")),
        "{lines:?}"
    );
    assert!(!store.duty_forgive(&duty.id, "again", "Ada", now).await.unwrap());
    assert!(!store.duty_retry(&duty.id, "Ada", now).await.unwrap());
}

/// Design 3.6.5, `custody = false`: kept, not listed, owed again by a repeat only.
async fn without_custody_nothing_is_owed_or_seen_until_somebody_takes_it(place: &Place) {
    let store = place.store().await;
    let mut new = cdr("C-1");
    new.row.visible_at = None;
    store.cdr_take(new.clone()).await.unwrap();
    let again = |n: i64| NewDuty {
        id: id(),
        next_attempt_at: at(n),
        ..new.duty.clone().unwrap()
    };
    // The first attempt is still owed.
    assert!(!store.cdr_owe(&new.row.id, again(1)).await.unwrap());
    assert!(store.cdr_settle(settlement(&new, Settled::Unanswered)).await.unwrap());
    let row = store.cdr_by_row(&new.row.id).await.unwrap().unwrap();
    assert_eq!((row.delivery.as_str(), row.visible_at), ("pending", None));
    assert_eq!(store.duty_list(None, None, 10).await.unwrap().0, []);
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 0);

    // Ten repeats at once: one of them carries it.
    let repeats = (0..10).map(|n| {
        let (store, row, duty) = (store.clone(), new.row.id.clone(), again(n));
        tokio::spawn(async move { store.cdr_owe(&row, duty).await.unwrap() })
    });
    let owed: Vec<bool> = join_all(repeats).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(owed.iter().filter(|owed| **owed).count(), 1);

    let mut repeat = new.clone();
    repeat.duty = Some(again(20));
    repeat.duty.as_mut().unwrap().id = store.duty_list(None, None, 10).await.unwrap().0[0].id.clone();
    assert!(store.cdr_settle(settlement(&repeat, Settled::Delivered)).await.unwrap());
    let row = store.cdr_by_row(&new.row.id).await.unwrap().unwrap();
    assert_eq!((row.delivery.as_str(), row.visible_at), ("delivered", Some(at(5))));
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 1);
    assert!(!store.cdr_owe(&new.row.id, again(30)).await.unwrap());
}

/// Design 3.6.5: without custody the octets are kept but not listed until delivered, and a rejection is no delivery.
async fn a_rejection_lists_nothing_that_was_not_listed_before(place: &Place) {
    let store = place.store().await;
    let mut new = cdr("C-1");
    new.row.visible_at = None;
    store.cdr_take(new.clone()).await.unwrap();
    assert!(store.cdr_settle(settlement(&new, Settled::Rejected)).await.unwrap());
    let row = store.cdr_by_row(&new.row.id).await.unwrap().unwrap();
    assert_eq!((row.delivery.as_str(), row.visible_at), ("rejected", None));
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 0);
}

// ---- leases ----

async fn a_lease_is_given_to_one_worker_only(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    for n in 0..60 {
        one.cdr_take(cdr(&format!("C-{n}")).with_lease_until(0)).await.unwrap();
    }
    let workers = (0..12).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            store
                .duty_lease(&format!("worker {n}"), at(10), at(40), 7)
                .await
                .unwrap()
        })
    });
    let mut leased = Vec::new();
    for duties in join_all(workers).await {
        leased.extend(duties.unwrap());
    }
    // A worker may come away with less than there is when another one is choosing; nothing is given twice, and nothing is left in the end.
    leased.extend(one.duty_lease("the last", at(10), at(40), 100).await.unwrap());
    assert_eq!(leased.len(), 60);
    assert_eq!(leased.iter().map(|duty| &duty.id).collect::<HashSet<_>>().len(), 60);
    assert!(
        leased
            .iter()
            .all(|duty| duty.lease_until == Some(at(40)) && duty.lease_owner.is_some())
    );
    assert_eq!(other.duty_lease("late", at(11), at(41), 100).await.unwrap(), []);
}

//
async fn what_one_platform_is_owed_stands_in_nobodys_way(place: &Place) {
    let store = place.store().await;
    let crowd = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000) \
        INSERT INTO outbox (id, platform_id, kind, object_id, revision, state, attempts, lease_until, next_attempt_at, give_up_at, created_at) \
        SELECT 'crowd ' || n, 'crowded', 'cdr', 'object ' || n, 1, 'owed', 0, 0, n, 9000000000000000, 0 FROM numbers";
    place.execute(crowd).await;
    let one = "INSERT INTO outbox (id, platform_id, kind, object_id, revision, state, attempts, lease_until, next_attempt_at, give_up_at, created_at) \
        VALUES ('late', 'alone', 'cdr', 'object', 1, 'owed', 0, 0, 20000, 9000000000000000, 0), \
               ('dead', 'buried', 'cdr', 'object', 1, 'dead', 0, 0, 1, 9000000000000000, 0)";
    place.execute(one).await;
    let lease = async |each, except: &[&str]| {
        let portions = Portions {
            each,
            except: except.iter().map(|id| (*id).to_owned()).collect(),
        };
        let leased = store
            .duty_lease_fairly("w", at(0), at(30), 64, &portions)
            .await
            .unwrap();
        leased.into_iter().map(|duty| duty.id).collect::<Vec<_>>()
    };
    assert_eq!(
        lease(4, &[]).await,
        ["crowd 1", "crowd 2", "crowd 3", "crowd 4", "late"]
    );
    assert_eq!(lease(2, &["alone"]).await, ["crowd 5", "crowd 6"]);
    assert_eq!(lease(4, &["crowded", "it's nobody's"]).await, [""; 0]);
    assert_eq!(lease(100, &[]).await.len(), 64, "and no more in all than asked for");
}

async fn whoever_goes_leaves_no_lease_behind(place: &Place) {
    let store = place.store().await;
    for n in 0..4 {
        store
            .cdr_take(cdr(&format!("C-{n}")).with_lease_until(0))
            .await
            .unwrap();
    }
    assert_eq!(store.duty_lease("goes", at(10), at(40), 3).await.unwrap().len(), 3);
    assert_eq!(store.duty_lease("stays", at(10), at(40), 3).await.unwrap().len(), 1);
    assert_eq!(store.duties_give_away("goes").await.unwrap(), 3);
    assert_eq!(store.duty_lease("stays", at(11), at(41), 10).await.unwrap().len(), 3);
}

async fn an_expired_lease_can_be_taken_again(place: &Place) {
    let store = place.store().await;
    store.cdr_take(cdr("C-1")).await.unwrap();
    // Born leased until second 30.
    assert_eq!(store.duty_lease("w", at(29), at(59), 10).await.unwrap(), []);
    let again = store.duty_lease("w", at(30), at(60), 10).await.unwrap();
    assert_eq!(again[0].lease_owner.as_deref(), Some("w"));
}

async fn the_longest_due_is_leased_first_and_a_nudge_makes_due(place: &Place) {
    let store = place.store().await;
    for (name, due) in [("C-1", 300), ("C-2", 100), ("C-3", 200)] {
        let new = cdr(name);
        store.cdr_take(new.clone()).await.unwrap();
        let postponed = Settled::Postponed {
            next_attempt_at: at(due),
            outcome: "away".to_owned(),
        };
        store.cdr_settle(settlement(&new, postponed)).await.unwrap();
    }
    let leased = store.duty_lease("w", at(250), at(280), 10).await.unwrap();
    assert_eq!(
        leased.iter().map(|duty| duty.next_attempt_at).collect::<Vec<_>>(),
        [at(100), at(200)]
    );
    // Two are leased and being worked on; the third one is woken.
    assert_eq!(store.duties_nudge("another platform", at(251)).await.unwrap(), 0);
    assert_eq!(store.duties_nudge("emsp", at(251)).await.unwrap(), 1);
    assert_eq!(store.duty_lease("w", at(251), at(281), 10).await.unwrap().len(), 1);
}

async fn duties_are_listed_page_by_page(place: &Place) {
    let store = place.store().await;
    for n in 0..5 {
        store.cdr_take(cdr(&format!("C-{n}"))).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let (duties, next) = store.duty_list(Some("owed"), cursor.as_deref(), 2).await.unwrap();
        seen.extend(duties.into_iter().map(|duty| duty.id));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    assert_eq!(
        store.duty_list(Some("dead"), None, 2).await.unwrap(),
        (Vec::new(), None)
    );
}

// ---- pulling ----

/// Design 3.6.3, `hold`: no list, no report for the eMSP, until released.
async fn a_held_cdr_is_on_no_page_until_released(place: &Place) {
    let store = place.store().await;
    let mut held = cdr("C-1").held();
    held.blocks = Vec::new();
    store.cdr_take(held.clone()).await.unwrap();
    assert_eq!(store.cdr_page(pull("NL/EMS"), None, 0, 10).await.unwrap().rows.len(), 0);
    assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), 0);
    let (emsp, cpo) = (["NL/EMS".to_owned()], ["DE/ABC".to_owned()]);
    assert_eq!(store.reports_since(&[], &emsp, at(0), None, 10).await.unwrap().0, []);
    assert_eq!(
        store.reports_since(&cpo, &[], at(0), None, 10).await.unwrap().0.len(),
        1
    );

    let week = at(7 * 86_400);
    let duty = NewDuty {
        object_id: held.row.id.clone(),
        ..cdr("C-1").duty.unwrap()
    };
    let released = join_all((0..5).map(|_| {
        store.cdr_release(
            &held.row.id,
            week,
            Some(NewDuty {
                id: id(),
                ..duty.clone()
            }),
            "pending",
            None,
        )
    }))
    .await;
    assert_eq!(
        released
            .into_iter()
            .filter(|released| *released.as_ref().unwrap())
            .count(),
        1
    );
    let row = store.cdr_by_row(&held.row.id).await.unwrap().unwrap();
    assert_eq!((row.delivery.as_str(), row.visible_at), ("pending", Some(week)));
    assert_eq!(store.cdr_page(pull("NL/EMS"), None, 0, 10).await.unwrap().rows.len(), 1);
    assert_eq!(
        store.reports_since(&[], &emsp, at(0), None, 10).await.unwrap().0.len(),
        1
    );
    assert_eq!(store.duty_list(Some("owed"), None, 10).await.unwrap().0.len(), 1);
}

/// Design 3.6.7: what was held or came late is not missed by a crawl with `date_from`.
async fn date_from_matches_the_day_it_became_visible(place: &Place) {
    let store = place.store().await;
    const DAY: i64 = 86_400;
    let early = cdr("early").updated_at(-DAY);
    let held = cdr("held").updated_at(-DAY).held();
    for new in [&early, &held] {
        store.cdr_take(new.clone()).await.unwrap();
    }
    store
        .cdr_release(&held.row.id, at(7 * DAY), None, "available", None)
        .await
        .unwrap();
    let found = async |from: Option<i64>, to: Option<i64>| {
        let window = CdrPull {
            date_from: from.map(at),
            date_to: to.map(at),
            ..pull("NL/EMS")
        };
        let by_offset = store.cdr_page(window.clone(), None, 0, 10).await.unwrap();
        let by_key = store.cdr_page(window.clone(), Some(""), 0, 10).await.unwrap();
        assert!(by_offset == by_key);
        assert_eq!(store.cdr_count(window).await.unwrap(), by_offset.rows.len() as u64);
        by_offset
            .rows
            .into_iter()
            .map(|row| if row.id == early.row.id { "early" } else { "held" })
            .collect::<Vec<_>>()
    };
    assert_eq!(found(None, None).await, ["early", "held"]);
    assert_eq!(found(Some(7 * DAY), None).await, ["held"]);
    assert_eq!(found(Some(7 * DAY), Some(7 * DAY + 1)).await, ["held"]);
    assert_eq!(found(Some(7 * DAY + 1), None).await, Vec::<&str>::new());
    // From is inclusive, to is exclusive (checklist P-12), on either instant.
    assert_eq!(found(Some(-DAY), Some(-DAY + 1)).await, ["early", "held"]);
    assert_eq!(found(Some(-DAY - 9), Some(-DAY)).await, Vec::<&str>::new());
    assert_eq!(found(None, Some(-DAY)).await, Vec::<&str>::new());
    // Between the two instants of `held` lies neither of them; `early` became visible when it arrived.
    assert_eq!(found(Some(1), Some(7 * DAY)).await, Vec::<&str>::new());
    assert_eq!(found(Some(0), Some(1)).await, ["early"]);
}

async fn pages_by_keyset_and_by_offset_agree(place: &Place) {
    let store = place.store().await;
    for n in 0..41 {
        let mut new = cdr(&format!("C-{n}"));
        new = match n % 4 {
            0 => new.to("NL", "EMS"),
            1 => new.to("NL", "TWO"),
            2 => new.to("FR", "FOR"),
            _ => new.to("NL", "EMS").held(),
        };
        if n % 5 == 0 {
            new = new.from("BE", "CPO");
        }
        store.cdr_take(new).await.unwrap();
    }
    let asks = [
        pull("NL/EMS"),
        CdrPull {
            emsp_keys: vec!["NL/EMS".to_owned(), "NL/TWO".to_owned()],
            ..pull("NL/EMS")
        },
        CdrPull {
            emsp_keys: vec!["NL/EMS".to_owned(), "NL/TWO".to_owned()],
            cpo_key: Some("BE/CPO".to_owned()),
            ..pull("NL/EMS")
        },
        CdrPull {
            emsp_keys: vec!["NL/EMS".to_owned(), "NL/TWO".to_owned()],
            date_from: Some(at(0)),
            ..pull("NL/EMS")
        },
        CdrPull {
            emsp_keys: Vec::new(),
            ..pull("NL/EMS")
        },
    ];
    for (ask, expected) in asks.into_iter().zip([11, 21, 5, 21, 0]) {
        for limit in [1, 3, 100] {
            let (mut by_key, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = store.cdr_page(ask.clone(), after.as_deref(), 0, limit).await.unwrap();
                by_key.extend(page.rows.iter().map(|row| row.id.clone()));
                if !page.more {
                    break;
                }
                after = by_key.last().cloned();
            }
            let mut by_offset = Vec::new();
            for offset in (0..=expected).step_by(limit as usize) {
                let page = store.cdr_page(ask.clone(), None, offset, limit).await.unwrap();
                by_offset.extend(page.rows.into_iter().map(|row| row.id));
            }
            assert_eq!(by_key, by_offset, "{ask:?} by {limit}");
            assert!(
                by_key.is_sorted() && by_key.len() as u64 == expected,
                "{ask:?} by {limit}: {}",
                by_key.len()
            );
        }
        assert_eq!(store.cdr_count(ask.clone()).await.unwrap(), expected);
        assert_eq!(store.cdr_page(ask, None, u64::MAX, 5).await.unwrap().rows.len(), 0);
    }
}

fn verdict(row_id: &str, report: &str, status: &str, marker: Option<&str>, checked_at: i64) -> NewVerdict {
    NewVerdict {
        row_id: row_id.to_owned(),
        report: report.to_owned(),
        status: status.to_owned(),
        billable: marker.is_none(),
        marker: marker.map(str::to_owned),
        checked_at: at(checked_at),
        blocks: Vec::new(),
        instead_of: None,
        notice: None,
    }
}

async fn a_block_verified_by_a_second_look_serves_that_cdr_only(place: &Place) {
    let store = place.store().await;
    let (mut one, mut other) = (cdr("C-1"), cdr("C-2"));
    one.blocks = Vec::new();
    other.blocks = Vec::new();
    store.cdr_take(one.clone()).await.unwrap();
    store.cdr_take(other.clone()).await.unwrap();
    let claim = BlockClaim {
        digest: "d".to_owned(),
        fingerprint: "f".to_owned(),
    };
    let claiming = |row_id: &str| NewVerdict {
        blocks: vec![claim.clone()],
        ..verdict(row_id, "{}", "VERIFIED", None, 1)
    };
    // Twice by the same CDR is no conflict.
    assert_eq!(store.verdict_add(claiming(&one.row.id)).await.unwrap(), []);
    assert_eq!(store.verdict_add(claiming(&one.row.id)).await.unwrap(), []);
    let used = store.verdict_add(claiming(&other.row.id)).await.unwrap();
    assert_eq!((used.len(), used[0].cdr_key.as_str()), (1, one.row.cdr_key.as_str()));
    assert_eq!(
        store.verdicts(&other.row.id).await.unwrap().len(),
        1,
        "nothing was written"
    );
}

async fn a_lease_given_back_counts_no_attempt(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1");
    store.cdr_take(new.clone()).await.unwrap();
    let duty = new.duty.unwrap();
    assert!(!store.duty_give_back(&duty.id, "somebody else", at(50)).await.unwrap());
    assert!(store.duty_give_back(&duty.id, &duty.lease_owner, at(50)).await.unwrap());
    let row = store.duty_get(&duty.id).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.next_attempt_at, row.lease_until), (0, at(50), None));
}

async fn a_verdict_added_is_in_force_and_the_old_one_stays(place: &Place) {
    let store = place.store().await;
    let new = cdr("C-1");
    store.cdr_take(new.clone()).await.unwrap();
    store
        .verdict_add(verdict(
            &new.row.id,
            "{\"second\":2}",
            "INVALID",
            Some("{\"m\":1}"),
            100,
        ))
        .await
        .unwrap();
    let row = store.cdr_by_row(&new.row.id).await.unwrap().unwrap();
    assert_eq!(
        (row.metering_status.as_str(), row.billable, row.marker.as_deref()),
        ("INVALID", false, Some("{\"m\":1}"))
    );
    assert_eq!(
        store.verdicts(&new.row.id).await.unwrap(),
        [new.report.as_str(), "{\"second\":2}"]
    );
    store
        .verdict_add(verdict(&new.row.id, "{\"third\":3}", "VERIFIED", None, 200))
        .await
        .unwrap();
    assert_eq!(store.cdr_by_row(&new.row.id).await.unwrap().unwrap().marker, None);
    let unknown = store.verdict_add(verdict("nobody", "{}", "VERIFIED", None, 1)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)));

    let parties = ["NL/EMS".to_owned()];
    let (first, next) = store.reports_since(&[], &parties, at(100), None, 1).await.unwrap();
    assert_eq!(first[0].report, "{\"second\":2}");
    let (second, end) = store
        .reports_since(&[], &parties, at(100), next.as_deref(), 1)
        .await
        .unwrap();
    assert_eq!(
        (second[0].report.as_str(), second[0].checked_at, end),
        ("{\"third\":3}", at(200), None)
    );
    assert_eq!(
        store
            .reports_since(
                &["NL/EMS".to_owned()],
                &["FR/FOR".to_owned(), "DE/ABC".to_owned()],
                at(0),
                None,
                9
            )
            .await
            .unwrap()
            .0,
        []
    );
}

async fn the_operators_list_is_filtered_newest_first_page_by_page(place: &Place) {
    let store = place.store().await;
    for n in 0..6 {
        let mut new = cdr(&format!("C-{n}"));
        new.row.received_at = at(n);
        if n % 2 == 0 {
            new.row.metering_status = "INVALID".to_owned();
        }
        store.cdr_take(new).await.unwrap();
    }
    let filter = CdrFilter {
        metering_status: Some("INVALID".to_owned()),
        from: Some(at(0)),
        to: Some(at(6)),
        ..CdrFilter::default()
    };
    let (first, next) = store.cdr_list(filter.clone(), None, 2).await.unwrap();
    assert_eq!(
        first.iter().map(|cdr| cdr.cdr_id.as_str()).collect::<Vec<_>>(),
        ["C-4", "C-2"]
    );
    let (rest, end) = store.cdr_list(filter, next.as_deref(), 2).await.unwrap();
    assert_eq!(
        (rest[0].cdr_id.as_str(), rest[0].emsp_key.as_str(), end),
        ("C-0", "NL/EMS", None)
    );
    for (filter, expected) in [
        (
            CdrFilter {
                delivery: Some("pending".to_owned()),
                ..CdrFilter::default()
            },
            6,
        ),
        (
            CdrFilter {
                delivery: Some("dead".to_owned()),
                ..CdrFilter::default()
            },
            0,
        ),
        (
            CdrFilter {
                cpo_key: Some("DE/ABC".to_owned()),
                to: Some(at(3)),
                ..CdrFilter::default()
            },
            3,
        ),
        (
            CdrFilter {
                emsp_key: Some("FR/FOR".to_owned()),
                ..CdrFilter::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            store.cdr_list(filter.clone(), None, 50).await.unwrap().0.len(),
            expected,
            "{filter:?}"
        );
    }
}

async fn a_control_character_costs_no_line_of_the_journal(place: &Place) {
    let store = place.store().await;
    let mut entry = journal_line("corr", "cdrs");
    entry.outcome = "refused: \0a\u{1b}b\n".to_owned();
    store.journal_add(entry).await.unwrap();
    let (lines, _) = store.journal_find(about("corr"), None, 10).await.unwrap();
    assert_eq!(lines[0].outcome, "refused: ab");
}

async fn the_journal_is_found_by_correlation_party_and_object(place: &Place) {
    let store = place.store().await;
    for n in 0..6 {
        let mut entry = journal_line(&format!("corr-{}", n % 2), "cdrs");
        (entry.from_party, entry.to_party) = if n < 4 {
            (some("DE/ABC"), some("NL/EMS"))
        } else {
            (some("NL/EMS"), None)
        };
        entry.object = some(&format!("DE/ABC/{}", n % 3));
        store.journal_add(entry).await.unwrap();
    }
    let count = async |correlation: Option<&str>, party: Option<&str>, object: Option<&str>| {
        let filter = JournalFilter {
            correlation_id: correlation.map(str::to_owned),
            party: party.map(str::to_owned),
            object: object.map(str::to_owned),
            ..JournalFilter::default()
        };
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let (lines, next) = store.journal_find(filter.clone(), cursor.as_deref(), 2).await.unwrap();
            all.extend(lines.into_iter().map(|line| line.id));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert!(all.iter().rev().is_sorted(), "newest first");
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        all.len()
    };
    assert_eq!(count(None, None, None).await, 6);
    assert_eq!(count(Some("corr-1"), None, None).await, 3);
    assert_eq!(count(None, Some("DE/ABC"), None).await, 4);
    assert_eq!(count(None, Some("NL/EMS"), None).await, 6);
    assert_eq!(count(None, None, Some("DE/ABC/2")).await, 2);
    assert_eq!(count(Some("corr-0"), Some("NL/EMS"), Some("DE/ABC/0")).await, 1);
}

async fn the_journal_is_found_between_two_instants(place: &Place) {
    let store = place.store().await;
    // Written in no order, and by a clock that is far from that of this machine.
    for n in [3, 0, 4, 1, 2] {
        let mut entry = journal_line("corr", "cdrs");
        (entry.at, entry.from_party) = (at(1_000 + n * 100), some("DE/ABC"));
        entry.object = some(&format!("DE/ABC/{n}"));
        store.journal_add(entry).await.unwrap();
    }
    // One of a program before: its id is of the moment it was made, a little after.
    place
        .execute(&format!(
            "INSERT INTO journal (id, at, correlation_id, from_party, module, method, object, outcome) VALUES \
             ('{}', {}, 'corr', 'DE/ABC', 'cdrs', 'POST', 'DE/ABC/5', 'old')",
            uuid::Uuid::from_u128(u128::try_from(at(1_502).timestamp_millis()).unwrap() << 80 | 7 << 76 | 2 << 62),
            at(1_500).timestamp_micros(),
        ))
        .await;
    let found = async |from: Option<i64>, to: Option<i64>, party: Option<&str>, correlation: Option<&str>| {
        let filter = JournalFilter {
            correlation_id: correlation.map(str::to_owned),
            party: party.map(str::to_owned),
            object: None,
            from: from.map(at),
            to: to.map(at),
        };
        let (mut all, mut cursor) = (String::new(), None::<String>);
        loop {
            let (lines, next) = store.journal_find(filter.clone(), cursor.as_deref(), 2).await.unwrap();
            all.extend(
                lines
                    .iter()
                    .map(|line| line.object.as_ref().unwrap().chars().last().unwrap()),
            );
            cursor = next;
            if cursor.is_none() {
                return all;
            }
        }
    };
    for (party, correlation) in [(None, None), (Some("DE/ABC"), None), (None, Some("corr"))] {
        assert_eq!(
            found(None, None, party, correlation).await,
            "543210",
            "newest first, by what they tell of"
        );
        assert_eq!(
            found(Some(1_100), Some(1_400), party, correlation).await,
            "321",
            "from counts, to does not"
        );
        assert_eq!(found(Some(1_101), None, party, correlation).await, "5432");
        assert_eq!(found(None, Some(1_501), party, correlation).await, "543210");
        assert_eq!(found(Some(1_500), Some(1_500), party, correlation).await, "");
    }
    assert_eq!(found(Some(1_100), None, Some("FR/XYZ"), None).await, "");
}

async fn duties_are_counted_by_state_kind_and_platform(place: &Place) {
    let store = place.store().await;
    assert_eq!(store.duty_totals().await.unwrap(), []);
    for (n, platform) in ["p1", "p1", "p2"].into_iter().enumerate() {
        let id = uuid::Uuid::now_v7();
        let created = at(100 - i64::try_from(n).unwrap()).timestamp_micros();
        place
            .execute(&format!(
                "INSERT INTO outbox (id, platform_id, kind, object_id, revision, state, attempts, lease_until, next_attempt_at, give_up_at, created_at) \
                 VALUES ('{id}', '{platform}', 'cdr', 'o{n}', 1, '{}', 0, 0, 0, 0, {created})",
                if n == 2 { "dead" } else { "owed" }
            ))
            .await;
    }
    let total = |state: &str, platform: &str, number, oldest| DutyTotal {
        state: state.into(),
        kind: "cdr".into(),
        platform: platform.into(),
        number,
        oldest: at(oldest),
    };
    assert_eq!(
        store.duty_totals().await.unwrap(),
        [total("dead", "p2", 1, 98), total("owed", "p1", 2, 99)]
    );
}

async fn the_overview_counts_what_there_is(place: &Place) {
    let store = place.store().await;
    assert_eq!(store.overview().await.unwrap(), Overview::default());
    store
        .platform_create(platform("p1", &[("DE", "ABC", "CPO"), ("DE", "ABC", "EMSP")]))
        .await
        .unwrap();
    store.registry_append(registry_batch(0, 1, "CONFIRMED")).await.unwrap();
    store.registry_append(registry_batch(1, 1, "PUBLISHED")).await.unwrap();
    let dead = cdr("C-1");
    store.cdr_take(dead.clone()).await.unwrap();
    store.cdr_settle(settlement(&dead, Settled::Dead)).await.unwrap();
    store.cdr_take(cdr("C-2")).await.unwrap();
    let overview = store.overview().await.unwrap();
    assert_eq!((overview.platforms, overview.parties, overview.keys), (1, 2, 1));
    assert_eq!(
        (overview.duties_owed, overview.duties_dead, overview.oldest_owed),
        (1, 1, Some(at(0)))
    );
    assert_eq!(
        overview.cdrs_by_delivery,
        [("dead".to_owned(), 1), ("pending".to_owned(), 1)]
    );
    assert_eq!(overview.cdrs_by_metering_status, [("VERIFIED".to_owned(), 2)]);
}

// ---- parties and keys ----

/// CR-33.
async fn a_party_registered_elsewhere_is_a_conflict_and_changes_nothing(place: &Place) {
    let store = place.store().await;
    store
        .platform_create(platform("p1", &[("DE", "ABC", "CPO")]))
        .await
        .unwrap();
    let before = store.directory_load().await.unwrap();

    let taken = store
        .platform_create(platform("p2", &[("NL", "EMS", "EMSP"), ("de", "abc", "CPO")]))
        .await;
    assert!(
        matches!(&taken, Err(StoreError::Conflict(why)) if why.contains("DE/ABC")),
        "{taken:?}"
    );
    let after = store.directory_load().await.unwrap();
    assert_eq!(
        (after.platforms, after.parties, after.revision),
        (before.platforms, before.parties, before.revision)
    );

    // Another role of the same party may live elsewhere.
    store
        .platform_create(platform("p3", &[("DE", "ABC", "EMSP")]))
        .await
        .unwrap();
    let change = PlatformChange {
        id: "p3".to_owned(),
        status: Some("CONNECTED".to_owned()),
        token_out: Some(Some("secret".to_owned())),
        parties: Some(vec![party("p3", "DE", "ABC", "EMSP"), party("p3", "DE", "ABC", "CPO")]),
        tokens: Some(Vec::new()),
        ..PlatformChange::default()
    };
    let before = store.directory_load().await.unwrap();
    assert!(matches!(
        store.platform_change(change).await,
        Err(StoreError::Conflict(_))
    ));
    let after = store.directory_load().await.unwrap();
    assert_eq!(
        (after.platforms, after.parties, after.tokens),
        (before.platforms, before.parties, before.tokens)
    );
}

/// CR-34 and D-06: nobody holds a lock over a handshake; whoever comes second is told so.
async fn a_change_on_an_old_revision_is_refused(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    one.platform_create(platform("p1", &[("DE", "ABC", "CPO")]))
        .await
        .unwrap();
    let changes = (0..10).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        let change = PlatformChange {
            id: "p1".to_owned(),
            expected_revision: Some(1),
            name: Some(format!("name {n}")),
            version: Some("2.2.1".to_owned()),
            at: Some(at(n)),
            ..PlatformChange::default()
        };
        tokio::spawn(async move { store.platform_change(change).await })
    });
    let outcomes: Vec<_> = join_all(changes).await.into_iter().map(Result::unwrap).collect();
    let done: Vec<_> = (0..10).filter(|n| matches!(outcomes[*n], Ok(2))).collect();
    assert_eq!(done.len(), 1, "{outcomes:?}");
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(StoreError::Conflict(_))))
            .count(),
        9
    );
    let rows = one.directory_load().await.unwrap();
    assert_eq!(rows.platforms[0].name, format!("name {}", done[0]));
    assert_eq!(
        (rows.platforms[0].revision, rows.platforms[0].updated_at),
        (2, at(done[0] as i64))
    );
    let unknown = PlatformChange {
        id: "nobody".to_owned(),
        ..PlatformChange::default()
    };
    assert!(matches!(one.platform_change(unknown).await, Err(StoreError::NotFound)));
}

async fn a_change_sets_what_it_names_and_leaves_the_rest(place: &Place) {
    let store = place.store().await;
    store
        .platform_create(platform("p1", &[("DE", "ABC", "CPO"), ("DE", "DEF", "CPO")]))
        .await
        .unwrap();
    let change = PlatformChange {
        id: "p1".to_owned(),
        status: Some("CONNECTED".to_owned()),
        versions_url: Some("https://p1.example/versions".to_owned()),
        token_out: Some(Some("secret".to_owned())),
        parties: Some(vec![party("p1", "DE", "DEF", "CPO"), party("p1", "DE", "NEW", "EMSP")]),
        tokens: Some(vec![token("p1", "hash-2", None)]),
        ..PlatformChange::default()
    };
    store.platform_change(change).await.unwrap();
    let rows = store.directory_load().await.unwrap();
    let row = &rows.platforms[0];
    assert_eq!(
        (row.status.as_str(), row.name.as_str(), row.token_out.as_deref()),
        ("CONNECTED", "Platform p1", Some("secret"))
    );
    assert!(!format!("{row:?}").contains("secret"));
    assert_eq!(
        rows.parties.iter().map(|row| row.party_id.as_str()).collect::<Vec<_>>(),
        ["DEF", "NEW"]
    );
    assert_eq!(
        rows.tokens.iter().map(|row| row.hash.as_str()).collect::<Vec<_>>(),
        ["hash-2"]
    );

    let forget = PlatformChange {
        id: "p1".to_owned(),
        token_out: Some(None),
        ..PlatformChange::default()
    };
    store.platform_change(forget).await.unwrap();
    let rows = store.directory_load().await.unwrap();
    assert_eq!(
        (&rows.platforms[0].token_out, rows.parties.len(), rows.tokens.len()),
        (&None, 2, 1)
    );

    store.platform_delete("p1").await.unwrap();
    let rows = store.directory_load().await.unwrap();
    assert_eq!((rows.platforms.len(), rows.parties.len(), rows.tokens.len()), (0, 0, 0));
    assert!(matches!(store.platform_delete("p1").await, Err(StoreError::NotFound)));
}

async fn the_directorys_revision_moves_with_every_change_and_only_then(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let mut last = one.directory_revision().await.unwrap();
    let mut moved = async |expected: bool, what: &str| {
        let now = other.directory_revision().await.unwrap();
        assert_eq!(now > last, expected, "{what}");
        last = now;
    };
    let mut new = platform("p1", &[("DE", "ABC", "CPO")]);
    new.token = Some(token("p1", "hash-1", Some(100)));
    one.platform_create(new).await.unwrap();
    moved(true, "a platform").await;
    one.directory_load().await.unwrap();
    assert_eq!(one.tokens_forget_expired(at(99)).await.unwrap(), 0);
    moved(false, "nothing").await;
    assert_eq!(one.tokens_forget_expired(at(100)).await.unwrap(), 1);
    moved(true, "a token").await;
    one.platform_change(PlatformChange {
        id: "p1".to_owned(),
        ..PlatformChange::default()
    })
    .await
    .unwrap();
    moved(true, "a change").await;
    one.platform_delete("p1").await.unwrap();
    moved(true, "a departure").await;
}

// ---- the house itself ----

async fn processes_starting_at_once_migrate_once(place: &Place) {
    let starts = (0..4).map(|_| {
        let url = place.url().to_owned();
        tokio::spawn(async move {
            let store = Store::open(&url).await.unwrap();
            store.migrate().await.unwrap();
            store
        })
    });
    for store in join_all(starts).await {
        let state = store.unwrap().schema_state().await.unwrap();
        assert_eq!((state.current, state.pending.len()), (Some(state.latest), 0));
    }
    let store = place.store().await;
    assert_eq!(store.directory_revision().await.unwrap(), 0);
}

async fn an_empty_database_says_what_is_pending(place: &Place) {
    let store = Store::open(place.url()).await.unwrap();
    let state = store.schema_state().await.unwrap();
    assert_eq!(state.current, None);
    assert_eq!(state.pending.last(), Some(&state.latest));
    assert!(store.ping().await.is_ok());
}

async fn a_newer_schema_is_refused(place: &Place) {
    place.store().await.close().await;
    place
        .execute("INSERT INTO schema_versions (version, applied_at) VALUES ('2999-01-01-000001', 'tomorrow')")
        .await;
    let refused = Store::open(place.url()).await;
    assert!(
        matches!(&refused, Err(StoreError::Corrupt(why)) if why.to_string().contains("2999-01-01")),
        "{refused:?}"
    );
}

async fn closing_writes_what_is_queued_and_then_refuses(place: &Place) {
    let store = place.store().await;
    let takes: Vec<_> = (0..30)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.cdr_take(cdr(&format!("C-{n}"))).await })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await;
    let mut kept = 0;
    for take in takes {
        match take.await.unwrap() {
            Ok(taken) => {
                assert_eq!(taken, Taken::New);
                kept += 1;
            }
            Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}"),
        }
    }
    assert!(matches!(
        store.cdr_take(cdr("late")).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    // Who was told "kept" is there; an `Unavailable` may have been kept all the same, its sender repeats it.
    assert!(place.store().await.cdr_count(pull("NL/EMS")).await.unwrap() >= kept);
}

/// Design promise 2. The child is this very test binary; it says which CDRs were acknowledged until it is killed in the middle of it.
async fn what_was_acknowledged_is_there_after_kill(place: &Place) {
    for round in 1..=3 {
        place.store().await.close().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child_that_takes_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD, place.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = Vec::new();
        for line in lines {
            let Ok(line) = line else { break };
            if let Some(id) = line.strip_prefix("acknowledged ") {
                acknowledged.push(id.to_owned());
            }
            if acknowledged.len() == 150 * round {
                // SIGKILL. What it had already written to the pipe is still read below.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= 150 * round, "the child ended by itself");

        let store = place.store().await;
        for id in &acknowledged {
            let row = store.cdr_by_row(id).await.unwrap().expect("acknowledged and gone");
            assert_eq!(row.body, format!("{{\"id\":\"{}\"}}", row.cdr_id));
        }
        // And whatever is there is there as a whole.
        let (mut cursor, mut seen) = (None::<String>, 0);
        loop {
            let (duties, next) = store.duty_list(None, cursor.as_deref(), 500).await.unwrap();
            seen += duties.len() as u64;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(store.cdr_count(pull("NL/EMS")).await.unwrap(), seen);
        assert_eq!(
            store
                .reports_since(&[], &["NL/EMS".to_owned()], at(0), None, 100_000)
                .await
                .unwrap()
                .0
                .len() as u64,
            seen
        );
        store.close().await;
    }
}

const CHILD: &str = "TRUEWATT_TEST_STORE_CHILD";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child of what_was_acknowledged_is_there_after_kill"]
async fn child_that_takes_until_it_is_killed() {
    let Some(url) = place::environment(CHILD) else {
        return;
    };
    let store = Store::open(&url).await.unwrap();
    let senders = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                let name = id();
                let new = cdr(&name)
                    .with_body(&format!("{{\"id\":\"{name}\"}}"))
                    .with_blocks([name.as_str()]);
                let row = new.row.id.clone();
                assert_eq!(store.cdr_take(new).await.unwrap(), Taken::New);
                println!("acknowledged {row}");
            }
        })
    });
    join_all(senders).await;
}

/// Only where there is a server to lose.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_server_connection_is_unavailable_and_the_pool_recovers() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let store = Arc::new(place.store().await);
    for round in 0..3 {
        join_all((0..20).map(|n| store.cdr_take(cdr(&format!("C-{round}-{n}"))))).await;
        place.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'truewatt' AND datname = current_database()").await;
        let mut tries = 0;
        let survivor = cdr(&format!("survivor {round}"));
        loop {
            match store.cdr_take(survivor.clone()).await {
                Ok(taken) => break assert_eq!(taken, Taken::New),
                Err(StoreError::Unavailable(_)) if tries < 20 => tries += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(store.cdr_by_row(&survivor.row.id).await.unwrap().is_some());
    }
}

macro_rules! promises {
    ($($promise:ident,)*) => {
        mod on_sqlite {
            use super::Place;
            $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(&Place::sqlite()).await; })*
        }
        mod on_postgres {
            use super::Place;
            $(#[tokio::test(flavor = "multi_thread")] async fn $promise() {
                if let Some(place) = Place::postgres().await { super::$promise(&place).await; }
            })*
        }
    };
}

// Behind the macro: it lists promises of its own.
#[path = "store/mirror.rs"]
mod mirror;

promises! {
    what_is_heard_often_is_one_row_for_each_evse_whoever_hears_it,
    observations_are_listed_newest_first_page_by_page_and_by_operator,
    only_what_a_charge_point_reported_is_a_reported_key_and_the_last_comes_first,
    verified_cdrs_of_a_meter_are_found_unless_they_came_with_the_key,
    a_location_that_may_claim_conformity_is_found_until_it_does_not,
    a_newer_notice_takes_the_place_of_the_older_and_is_not_settled_by_it,
    of_two_who_tell_of_the_same_place_of_the_log_one_does,
    a_notice_of_a_verdict_is_kept_with_it_and_goes_when_it_is_forgiven,
    a_name_of_a_registration_is_given_once_whoever_is_quicker_and_moves_only_from_where_it_was,
    verdicts_are_pulled_by_their_cpo_in_order_and_within_times,
    a_cdr_is_taken_with_verdict_duty_blocks_and_journal_or_not_at_all,
    octets_come_back_as_they_were_posted,
    fifty_concurrent_takes_of_one_cdr_store_one,
    one_bad_member_of_a_crowd_harms_no_other,
    taking_the_very_same_again_is_not_a_second_one,
    a_signed_block_serves_one_cdr_also_between_two_stores,
    a_block_twice_in_one_cdr_is_no_replay,
    a_credit_cdr_frees_the_blocks,
    a_rejected_credit_gives_back_what_nobody_else_uses_by_now,
    a_rejected_cdr_frees_its_blocks_and_its_id,
    a_rejected_revision_is_replaced_once,
    a_delivery_ends_its_duty_and_keeps_what_the_receiver_said,
    two_hundred_deliveries_at_once_all_end,
    settling_an_older_revision_changes_nothing,
    what_nobody_answered_is_in_custody_and_due_again,
    a_dead_duty_stays_and_can_be_retried_or_forgiven,
    without_custody_nothing_is_owed_or_seen_until_somebody_takes_it,
    a_rejection_lists_nothing_that_was_not_listed_before,
    a_lease_is_given_to_one_worker_only,
    what_one_platform_is_owed_stands_in_nobodys_way,
    whoever_goes_leaves_no_lease_behind,
    an_expired_lease_can_be_taken_again,
    the_longest_due_is_leased_first_and_a_nudge_makes_due,
    duties_are_listed_page_by_page,
    a_held_cdr_is_on_no_page_until_released,
    date_from_matches_the_day_it_became_visible,
    pages_by_keyset_and_by_offset_agree,
    a_block_verified_by_a_second_look_serves_that_cdr_only,
    a_lease_given_back_counts_no_attempt,
    a_verdict_added_is_in_force_and_the_old_one_stays,
    the_operators_list_is_filtered_newest_first_page_by_page,
    a_control_character_costs_no_line_of_the_journal,
    the_journal_is_found_by_correlation_party_and_object,
    the_journal_is_found_between_two_instants,
    duties_are_counted_by_state_kind_and_platform,
    the_overview_counts_what_there_is,
    a_party_registered_elsewhere_is_a_conflict_and_changes_nothing,
    a_change_on_an_old_revision_is_refused,
    a_change_sets_what_it_names_and_leaves_the_rest,
    the_directorys_revision_moves_with_every_change_and_only_then,
    a_line_and_its_document_are_kept_together_or_not_at_all,
    of_two_who_add_to_one_log_one_is_told_that_it_has_grown,
    lines_and_documents_are_never_changed_or_removed,
    the_versions_of_a_document_come_in_their_order,
    a_checkpoint_of_a_size_is_kept_once_and_the_largest_comes_first,
    all_processes_sign_with_one_key,
    registrations_of_the_time_before_the_log_are_found_until_they_are_in_it,
    the_first_answer_to_a_request_stays_and_is_forgotten_when_it_is_old,
    of_many_who_answer_one_request_one_is_kept,
    a_change_and_the_answer_to_its_request_are_one_commit,
    a_confirmation_is_owed_with_its_state_and_settled_once,
    a_document_is_kept_beside_its_registration_and_never_changed,
    what_asks_by_a_name_is_found_once_in_order_page_by_page,
    cdrs_of_the_time_before_traces_are_walked_through,
    a_change_is_entered_once_and_worked_off_by_one_at_a_time,
    of_two_second_looks_at_once_one_is_added,
    a_meter_has_one_open_case_whoever_finds_the_doubt,
    a_lent_url_is_there_as_it_was_lent_also_for_the_next_process,
    what_has_expired_is_not_there_and_is_deleted_in_portions,
    the_end_of_a_lent_url_moves_only_in_the_direction_asked_for,
    the_same_lent_again_is_the_same_row_also_when_many_do_it_at_once,
    a_row_lent_again_while_the_expired_are_deleted_is_not_lost,
    of_any_number_of_processes_one_moves_a_platform,
    of_several_processes_one_looks_after_a_platform_and_the_others_hear_what_it_found,
    a_comparison_is_committed_once_with_its_duties_or_not_at_all,
    a_newer_state_takes_the_place_of_the_older_duty_and_keeps_its_lease,
    the_cpo_role_goes_before_the_other_roles_of_a_party,
    a_platform_reads_what_it_is_told_and_a_platform_that_is_gone_is_owed_nothing,
    agreements_are_one_document_that_moves_the_directory,
    one_process_at_a_time_announces_and_a_handshake_ends_it,
    of_an_old_cdr_the_octets_go_and_its_id_and_blocks_serve_no_other,
    what_a_dead_process_did_not_remove_is_removed_by_the_next,
    of_sessions_deleted_objects_duties_and_links_only_what_is_old_goes,
    a_deleted_object_that_somebody_missed_stays_until_it_was_told_of,
    old_lines_of_the_journal_go_and_young_ones_stay,
    what_was_missed_is_one_duty_for_each_object_and_platform_written_with_the_object,
    a_newer_revision_that_was_missed_is_not_settled_by_an_older_one_that_was_told,
    what_a_platform_hears_as_a_whole_ends_what_it_missed_before,
    what_one_platform_missed_is_bounded_and_leased_to_one_of_many,
    a_state_is_told_only_as_it_is_now_and_behind_what_others_carry,
    a_hint_is_found_by_its_id_whoever_owns_it_and_by_its_owner,
    the_latest_news_about_a_hint_counts_in_whatever_order_they_are_written,
    what_is_only_worth_adding_changes_no_hint_that_lives,
    the_end_of_an_object_shortens_all_its_hints_and_prolongs_none,
    dropping_the_hints_of_an_object_leaves_those_of_its_neighbours,
    a_hint_is_forgotten_when_its_time_is_over_and_not_before,
    two_processes_that_learn_the_same_lose_nothing,
    of_any_number_who_found_a_session_as_it_was_one_writes,
    sessions_of_one_id_are_found_whoever_the_cpo_is_and_listed_page_by_page,
    who_steered_is_forgotten_when_its_time_is_over_and_not_before,
    a_contract_is_replaced_found_by_its_grantor_and_gone_when_it_is_ended,
    a_contract_of_the_configuration_is_changed_and_ended_by_the_configuration_alone,
    a_session_is_owed_with_the_row_it_follows_from_and_a_change_becomes_the_whole_behind_what_was_not_told,
    what_is_owed_under_a_contract_ends_with_it,
    a_session_kept_for_providers_is_forgotten_when_nothing_more_is_said_of_it,
    processes_starting_at_once_migrate_once,
    an_empty_database_says_what_is_pending,
    a_newer_schema_is_refused,
    closing_writes_what_is_queued_and_then_refuses,
    what_was_acknowledged_is_there_after_kill,
}
