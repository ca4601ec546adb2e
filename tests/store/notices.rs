//! What platforms are told through the hub's own modules, and what operators call their registrations.

use chrono::TimeDelta;
use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, cdr, id};

fn notice(platform: &str, object: &str, body: &str) -> NewNotice {
    NewNotice {
        duty: NewDuty {
            id: id(),
            platform_id: platform.to_owned(),
            kind: "publickeys".to_owned(),
            object_id: object.to_owned(),
            revision: 1,
            lease_owner: String::new(),
            lease_until: at(0),
            next_attempt_at: at(0),
            give_up_at: at(1_000_000),
            created_at: at(0),
        },
        message: Message {
            identifier: "detwh-publickeys".to_owned(),
            method: "PUT".to_owned(),
            path: vec!["DE".to_owned(), "ABC".to_owned(), "a/b \"c\"".to_owned()],
            to_party: "DE/ABC".to_owned(),
            object: format!("DE/ABC/{object}"),
            body: body.to_owned(),
            shown: None,
        },
    }
}

async fn lease(store: &Store) -> Vec<DutyRow> {
    store.duty_lease("me", at(10), at(40), 10).await.unwrap()
}

/// design.md promise 3: a state, not messages.
pub async fn a_newer_notice_takes_the_place_of_the_older_and_is_not_settled_by_it(place: &Place) {
    let store = place.store().await;
    let first = notice("p", "r1", "old");
    assert!(store.publickeys_enter(0, 1, vec![first.clone()]).await.unwrap());
    let duty = lease(&store).await.pop().unwrap();
    let owed = store.notice(&duty.id).await.unwrap().unwrap();
    assert_eq!((&owed.message, owed.revision), (&first.message, 1));
    // While it is on its way something newer is to be told.
    assert!(
        store
            .publickeys_enter(1, 2, vec![notice("p", "r1", "new"), notice("q", "r1", "new")])
            .await
            .unwrap()
    );
    let settled = store
        .told_settle(&duty.id, "me", owed.revision, Told::Ended, None)
        .await
        .unwrap();
    assert!(!settled, "what was sent is not what is owed");
    let leased = lease(&store).await;
    assert_eq!(leased.len(), 2, "one for each platform");
    for duty in leased {
        let owed = store.notice(&duty.id).await.unwrap().unwrap();
        assert_eq!(owed.message.body, "new");
        let later = Told::Postponed {
            next_attempt_at: at(20),
            outcome: "busy".to_owned(),
        };
        assert!(
            store
                .told_settle(&duty.id, "me", owed.revision, later, None)
                .await
                .unwrap()
        );
        assert!(
            store
                .told_settle(&duty.id, "me", owed.revision, Told::Ended, None)
                .await
                .unwrap()
        );
        assert_eq!(store.notice(&duty.id).await.unwrap(), None);
        assert_eq!(store.duty_get(&duty.id).await.unwrap(), None);
    }
}

pub async fn of_two_who_tell_of_the_same_place_of_the_log_one_does(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let telling = (0..8).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            store
                .publickeys_enter(0, 5, vec![notice("p", &format!("r{n}"), "x")])
                .await
                .unwrap()
        })
    });
    let entered = join_all(telling)
        .await
        .into_iter()
        .filter(|one| *one.as_ref().unwrap())
        .count();
    assert_eq!(entered, 1);
    assert_eq!(one.publickeys_cursor().await.unwrap(), 5);
    assert_eq!(one.duty_list(None, None, 10).await.unwrap().0.len(), 1);
}

/// SAF-46: with the verdict or not at all.
pub async fn a_notice_of_a_verdict_is_kept_with_it_and_goes_when_it_is_forgiven(place: &Place) {
    let store = place.store().await;
    let mut new = cdr("C-1");
    new.duty = None;
    new.notice = Some(notice("p", &new.row.id, "bad"));
    let duty = new.notice.as_ref().unwrap().duty.id.clone();
    assert_eq!(store.cdr_take(new.clone()).await.unwrap(), Taken::New);
    assert_eq!(store.notice(&duty).await.unwrap().unwrap().message.body, "bad");
    // A known id is not taken, and nobody is told of it.
    let mut again = cdr("C-1");
    again.notice = Some(notice("q", &again.row.id, "worse"));
    assert!(matches!(store.cdr_take(again).await.unwrap(), Taken::Known(_)));
    assert_eq!(store.duty_list(None, None, 10).await.unwrap().0.len(), 1);
    let verdict = NewVerdict {
        row_id: new.row.id.clone(),
        report: "{}".to_owned(),
        status: "VERIFIED".to_owned(),
        billable: true,
        marker: None,
        checked_at: new.checked_at + TimeDelta::seconds(1),
        blocks: Vec::new(),
        instead_of: Some("another".to_owned()),
        notice: Some(notice("p", &new.row.id, "good")),
    };
    assert!(store.verdict_add(verdict.clone()).await.is_err(), "another is in force");
    assert_eq!(store.notice(&duty).await.unwrap().unwrap().message.body, "bad");
    let verdict = NewVerdict {
        instead_of: None,
        ..verdict
    };
    store.verdict_add(verdict).await.unwrap();
    assert_eq!(store.notice(&duty).await.unwrap().unwrap().message.body, "good");
    assert!(store.duty_forgive(&duty, "agreed", "Ada", at(50)).await.unwrap());
    assert_eq!(store.notice(&duty).await.unwrap(), None);
}

pub async fn a_name_of_a_registration_is_given_once_whoever_is_quicker_and_moves_only_from_where_it_was(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let naming = (0..8).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            let registration = format!("r{n}");
            store
                .registration_name("DE/ABC", "MY-1", "my-1", &registration, None)
                .await
                .unwrap()
        })
    });
    let given: Vec<String> = join_all(naming).await.into_iter().map(Result::unwrap).collect();
    assert!(given.iter().all(|registration| *registration == given[0]), "{given:?}");
    let named = async |store: &Store| store.registration_named("DE/ABC", "MY-1").await.unwrap();
    assert_eq!(named(&other).await.as_ref(), Some(&given[0]));
    assert_eq!(
        one.name_of_registration(&given[0]).await.unwrap().as_deref(),
        Some("my-1")
    );
    assert_eq!(one.registration_named("DE/XYZ", "MY-1").await.unwrap(), None);
    let moved = one
        .registration_name("DE/ABC", "MY-1", "my-1", "new", Some("never"))
        .await
        .unwrap();
    assert_eq!(moved, given[0], "it was elsewhere");
    let moved = one
        .registration_name("DE/ABC", "MY-1", "my-1", "new", Some(&given[0]))
        .await
        .unwrap();
    assert_eq!((moved.as_str(), named(&other).await.as_deref()), ("new", Some("new")));
}

/// P-02: verdicts of one's own CDRs, by the order of checking.
pub async fn verdicts_are_pulled_by_their_cpo_in_order_and_within_times(place: &Place) {
    let store = place.store().await;
    for number in 0..5 {
        let mut new = cdr(&format!("C-{number}"));
        new.checked_at = at(100 + number);
        assert_eq!(store.cdr_take(new).await.unwrap(), Taken::New);
    }
    let pull = |from: Option<i64>, to: Option<i64>| VerdictPull {
        cpo_keys: vec!["DE/ABC".to_owned()],
        from: from.map(at),
        to: to.map(at),
    };
    assert_eq!(store.verdict_count(pull(None, None)).await.unwrap(), 5);
    assert_eq!(store.verdict_count(pull(Some(101), Some(104))).await.unwrap(), 3);
    let stranger = VerdictPull {
        cpo_keys: vec!["DE/XYZ".to_owned()],
        ..VerdictPull::default()
    };
    assert_eq!(store.verdict_count(stranger).await.unwrap(), 0);
    let (first, more) = store.verdict_page(pull(None, None), None, 0, 2).await.unwrap();
    assert_eq!((first.len(), more, first[0].checked_at), (2, true, at(100)));
    let (rest, more) = store
        .verdict_page(pull(None, None), Some(&first[1].id), 2, 5)
        .await
        .unwrap();
    assert_eq!((rest.len(), more, rest[0].checked_at), (3, false, at(102)));
    let (skipped, _) = store.verdict_page(pull(None, None), None, 4, 5).await.unwrap();
    assert_eq!(skipped.len(), 1);
}
