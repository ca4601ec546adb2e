//! The registry's log and its documents.

use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, registry_batch};

pub async fn a_line_and_its_document_are_kept_together_or_not_at_all(place: &Place) {
    let store = place.store().await;
    store.registry_append(registry_batch(0, 2, "SUBMITTED")).await.unwrap();
    assert_eq!(store.registry_size().await.unwrap(), 2);
    let kept = registry_batch(0, 2, "SUBMITTED");
    assert_eq!(store.registry_documents(0, 10).await.unwrap(), kept.documents);
    assert_eq!(store.registry_lines(1, 10).await.unwrap(), kept.lines[1..]);
    // A version that is there already takes the lines before it back, too.
    let mut again = registry_batch(2, 3, "SUBMITTED");
    again.documents[2].id = "r1".to_owned();
    assert!(matches!(
        store.registry_append(again).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.registry_size().await.unwrap(), 2);
    assert_eq!(store.registry_documents(0, 10).await.unwrap().len(), 2);
}

pub async fn of_two_who_add_to_one_log_one_is_told_that_it_has_grown(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let adding = (0..10).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { store.registry_append(registry_batch(0, 1, "SUBMITTED")).await })
    });
    let outcomes: Vec<_> = join_all(adding).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|one| one.is_ok()).count(), 1, "{outcomes:?}");
    let refused = outcomes
        .iter()
        .filter(|one| matches!(one, Err(StoreError::Conflict(_))));
    assert_eq!(refused.count(), 9, "{outcomes:?}");
    assert_eq!(other.registry_size().await.unwrap(), 1);
}

// key-registry.md 4.3.
pub async fn lines_and_documents_are_never_changed_or_removed(place: &Place) {
    let store = place.store().await;
    store.registry_append(registry_batch(0, 2, "CONFIRMED")).await.unwrap();
    for statement in [
        "UPDATE registry_log SET entry = '{}' WHERE seq = 1",
        "DELETE FROM registry_log WHERE seq = 2",
        "DELETE FROM registry_log",
        "UPDATE registry_documents SET state = 'REFUSED'",
        "DELETE FROM registry_documents WHERE seq = 1",
    ] {
        assert!(!place.may_execute(statement).await, "{statement}");
    }
    if matches!(place, Place::Postgres { .. }) {
        assert!(!place.may_execute("TRUNCATE registry_log").await);
    }
    assert_eq!(
        store.registry_lines(0, 10).await.unwrap(),
        registry_batch(0, 2, "CONFIRMED").lines
    );
}

pub async fn the_versions_of_a_document_come_in_their_order(place: &Place) {
    let store = place.store().await;
    let mut batch = registry_batch(0, 3, "CONFIRMED");
    for (number, document) in batch.documents.iter_mut().enumerate().skip(1) {
        (document.id, document.version) = ("r1".to_owned(), number as u64 + 1);
    }
    batch.documents[2].state = Some("DEACTIVATED".to_owned());
    store.registry_append(batch).await.unwrap();
    let versions = store.registry_history("registration", "r1").await.unwrap();
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(store.registry_history("key", "r1").await.unwrap().is_empty());
    // Confirmed twice (a remark was added) and ended: it is no longer among those that count.
    assert_eq!(store.overview().await.unwrap().keys, 0);
}

pub async fn a_checkpoint_of_a_size_is_kept_once_and_the_largest_comes_first(place: &Place) {
    let store = place.store().await;
    for (size, text) in [(3, "three"), (12, "twelve"), (3, "three again")] {
        store.registry_checkpoint_keep(size, text).await.unwrap();
    }
    assert_eq!(store.registry_checkpoints(5).await.unwrap(), ["twelve", "three"]);
}

pub async fn all_processes_sign_with_one_key(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let (first, second) = tokio::join!(one.registry_seed("aa", at(0)), other.registry_seed("bb", at(0)));
    assert_eq!(first.unwrap(), second.unwrap());
}

pub async fn registrations_of_the_time_before_the_log_are_found_until_they_are_in_it(place: &Place) {
    let store = place.store().await;
    for id in ["r1", "r2"] {
        place
            .execute(&format!(
                "INSERT INTO keys (id, claim, fingerprint, curve, spki_hex, meter_serial, evse_id, cpo_key, valid_from, calibrated, state, \
                 created_at) VALUES ('{id}', '{id}', 'f', 'secp256r1', '30', 'M1', 'DE*ABC*E1', 'DE/ABC', 0, 1, 'ACTIVE', 5)"
            ))
            .await;
    }
    let found = store.keys_before_the_log().await.unwrap();
    assert_eq!(
        found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["r1", "r2"]
    );
    store.registry_append(registry_batch(0, 1, "CONFIRMED")).await.unwrap();
    let found = store.keys_before_the_log().await.unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["r2"]);
}
