//! What stands beside the registry's log: answers to requests, confirmations, documents.

use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, id, journal_line, registry_batch, some};

fn answer(key: &str, digest: &str, seconds: i64) -> AnswerRow {
    AnswerRow {
        holder: "platform DE/ABC".to_owned(),
        key: key.to_owned(),
        digest: digest.to_owned(),
        status: 202,
        location: some("http://hub/r1"),
        body: "{\"id\":\"r1\"}".to_owned(),
        created_at: at(seconds),
    }
}

pub async fn the_first_answer_to_a_request_stays_and_is_forgotten_when_it_is_old(place: &Place) {
    let store = place.store().await;
    let first = answer("k", "aa", 100);
    assert_eq!(store.answer_keep(first.clone(), at(0)).await.unwrap(), None);
    assert_eq!(
        store.answer_keep(answer("k", "bb", 200), at(0)).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        store.answer_find("platform DE/ABC", "k", at(0)).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(store.answer_find("platform DE/XYZ", "k", at(0)).await.unwrap(), None);
    // Too old to count: not found, and another takes its place.
    assert_eq!(store.answer_find("platform DE/ABC", "k", at(101)).await.unwrap(), None);
    let second = answer("k", "bb", 300);
    assert_eq!(store.answer_keep(second.clone(), at(101)).await.unwrap(), None);
    assert_eq!(
        store.answer_find("platform DE/ABC", "k", at(0)).await.unwrap(),
        Some(second)
    );
    store.answer_keep(answer("other", "cc", 100), at(0)).await.unwrap();
    assert_eq!(store.answers_forget(at(250)).await.unwrap(), 1);
    assert!(
        store
            .answer_find("platform DE/ABC", "k", at(0))
            .await
            .unwrap()
            .is_some()
    );
}

pub async fn of_many_who_answer_one_request_one_is_kept(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let keeping = (0..20).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            store
                .answer_keep(answer("k", &n.to_string(), 100), at(0))
                .await
                .unwrap()
        })
    });
    let outcomes: Vec<_> = join_all(keeping).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|one| one.is_none()).count(), 1, "{outcomes:?}");
    let kept = one.answer_find("platform DE/ABC", "k", at(0)).await.unwrap();
    assert!(outcomes.iter().flatten().all(|told| Some(told) == kept.as_ref()));
}

// PC-09: no crash and no other process makes two registrations of one request.
pub async fn a_change_and_the_answer_to_its_request_are_one_commit(place: &Place) {
    let store = place.store().await;
    let asked = |after, digest: &str| RegistryBatch {
        answer: Some((answer("k", digest, 100), at(0))),
        ..registry_batch(after, 1, "SUBMITTED")
    };
    // Composed for another length of the log: neither change nor answer.
    assert!(matches!(
        store.registry_append(asked(7, "aa")).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.answer_find("platform DE/ABC", "k", at(0)).await.unwrap(), None);
    assert_eq!(store.registry_append(asked(0, "aa")).await.unwrap(), None);
    assert_eq!(store.registry_size().await.unwrap(), 1);
    // The same request once more, whatever it would do now: nothing, and the answer it had.
    assert_eq!(
        store.registry_append(asked(1, "bb")).await.unwrap(),
        Some(answer("k", "aa", 100))
    );
    assert_eq!(store.registry_size().await.unwrap(), 1);
    // Half written is not written: a version that is there already takes the answer back.
    let mut twice = registry_batch(1, 1, "SUBMITTED");
    twice.documents[0].id = registry_batch(0, 1, "SUBMITTED").documents[0].id.clone();
    twice.answer = Some((answer("other", "cc", 100), at(0)));
    assert!(matches!(
        store.registry_append(twice).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(
        store.answer_find("platform DE/ABC", "other", at(0)).await.unwrap(),
        None
    );
}

fn confirmation(registration: &str) -> NewConfirmation {
    NewConfirmation {
        duty: NewDuty {
            id: id(),
            platform_id: "cpo".to_owned(),
            kind: "confirmation".to_owned(),
            object_id: registration.to_owned(),
            revision: 1,
            lease_owner: String::new(),
            lease_until: at(0),
            next_attempt_at: at(0),
            give_up_at: at(86_400),
            created_at: at(0),
        },
        registration: registration.to_owned(),
        url: "https://cpo.example/told".to_owned(),
        body: "{}".to_owned(),
    }
}

pub async fn a_confirmation_is_owed_with_its_state_and_settled_once(place: &Place) {
    let store = place.store().await;
    let (one, two) = (confirmation("r1"), confirmation("r2"));
    let batch = RegistryBatch {
        confirmations: vec![one.clone(), two.clone()],
        ..registry_batch(0, 1, "CONFIRMED")
    };
    store.registry_append(batch).await.unwrap();
    let shown = || async {
        let shown = store
            .confirmations_of(&["r1".to_owned(), "r2".to_owned()])
            .await
            .unwrap();
        shown
            .into_iter()
            .map(|one| (one.state, one.attempts, one.last_at, one.last_outcome))
            .collect::<Vec<_>>()
    };
    let pending = || ("pending".to_owned(), 0, None, None);
    assert_eq!(shown().await, [pending(), pending()]);
    let leased = store.duty_lease("worker", at(1), at(31), 10).await.unwrap();
    assert_eq!(leased.len(), 2);
    let owed = store.confirmation_of_duty(&one.duty.id).await.unwrap().unwrap();
    assert_eq!(
        (owed.registration, owed.url, owed.body),
        (one.registration, one.url, one.body)
    );
    let line = |seconds| JournalEntry {
        at: at(seconds),
        ..journal_line("corr", "registrations")
    };
    let settle = |duty: String, end, seconds| {
        let store = &store;
        async move {
            store
                .confirmation_settle(&duty, end, "said", line(seconds))
                .await
                .unwrap()
        }
    };
    assert!(settle(one.duty.id.clone(), ConfirmationEnd::Postponed(at(60)), 5).await);
    let duty = store.duty_get(&one.duty.id).await.unwrap().unwrap();
    assert_eq!(
        (duty.attempts, duty.next_attempt_at, duty.lease_owner),
        (1, at(60), None)
    );
    assert!(settle(one.duty.id.clone(), ConfirmationEnd::Delivered, 61).await);
    assert!(
        !settle(one.duty.id.clone(), ConfirmationEnd::Dead, 62).await,
        "somebody has settled it"
    );
    assert_eq!(
        shown().await[0],
        ("delivered".to_owned(), 2, Some(at(61)), some("said"))
    );
    assert!(settle(two.duty.id.clone(), ConfirmationEnd::Dead, 90_000).await);
    assert_eq!(shown().await[1].0, "dead");
    assert!(store.duty_retry(&two.duty.id, "Ada", at(90_001)).await.unwrap());
    assert_eq!(shown().await[1].0, "pending");
    assert!(
        store
            .duty_forgive(&two.duty.id, "by phone", "Ada", at(90_002))
            .await
            .unwrap()
    );
    assert_eq!(shown().await[1].0, "forgiven");
    assert_eq!(shown().await[0].0, "delivered");
}

pub async fn a_document_is_kept_beside_its_registration_and_never_changed(place: &Place) {
    let store = place.store().await;
    let file = |content: &str| NewFile {
        registration: "r1".to_owned(),
        sha256: "aa".to_owned(),
        content: content.to_owned(),
        kept_at: at(0),
    };
    for (after, content) in [(0, "first"), (1, "second")] {
        let mut batch = registry_batch(after, 1, "SUBMITTED");
        batch.documents[0].id = id();
        batch.files = vec![file(content)];
        store.registry_append(batch).await.unwrap();
    }
    assert_eq!(store.registry_file("r1", "aa").await.unwrap(), some("first"));
    assert_eq!(store.registry_file("r2", "aa").await.unwrap(), None);
}
