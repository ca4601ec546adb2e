//! Promises about hints.

use truewatt::store::*;

use super::place::Place;
use super::world::{at, some};

fn hint(id_key: &str, owner_key: &str, scope_key: &str, seen: i64, expires: i64) -> HintRow {
    let (owner_country_code, owner_party_id) = parts(owner_key);
    let (scope_country_code, scope_party_id) = parts(scope_key);
    HintRow {
        kind: "session".to_owned(),
        id_key: id_key.to_owned(),
        owner_key: owner_key.to_owned(),
        owner_country_code,
        owner_party_id,
        scope_key: scope_key.to_owned(),
        scope_country_code,
        scope_party_id,
        seen_at: at(seen),
        expires_at: at(expires),
    }
}

/// Spelled in lower case, as a peer might.
fn parts(key: &str) -> (String, String) {
    key.to_ascii_lowercase()
        .split_once('/')
        .map_or_else(Default::default, |(one, other)| (one.to_owned(), other.to_owned()))
}

fn session_ends(id_key: &str, owner_key: &str, expires: i64) -> HintChange {
    HintChange::End {
        kind: "session".to_owned(),
        id_key: id_key.to_owned(),
        owner_key: owner_key.to_owned(),
        expires_at: at(expires),
    }
}

// R-71, SES-19
pub async fn a_hint_is_found_by_its_id_whoever_owns_it_and_by_its_owner(place: &Place) {
    let store = place.store().await;
    let rows = [
        hint("S1", "DE/ABC", "", 0, 100),
        hint("S1", "DE/ABC", "NL/EMS", 0, 100),
        hint("S1", "NL/XYZ", "NL/EMS", 0, 100),
    ];
    for row in rows.iter().rev() {
        store.hint_put(row.clone()).await.unwrap();
    }
    store.hint_put(hint("S2", "DE/ABC", "NL/EMS", 0, 100)).await.unwrap();
    let mut other_kind = hint("S1", "FR/OTH", "NL/EMS", 0, 100);
    other_kind.kind = "profile".to_owned();
    store.hint_put(other_kind).await.unwrap();

    let next_process = place.store().await;
    assert_eq!(next_process.hints_find("session", "S1").await.unwrap(), rows);
    assert_eq!(
        next_process.hints_of("session", "S1", "DE/ABC").await.unwrap(),
        rows[..2]
    );
    assert_eq!(next_process.hints_find("session", "s1").await.unwrap(), []);
}

pub async fn the_latest_news_about_a_hint_counts_in_whatever_order_they_are_written(place: &Place) {
    let store = place.store().await;
    let (older, newer) = (
        hint("S1", "DE/ABC", "NL/EMS", 1, 900),
        hint("S1", "DE/ABC", "NL/EMS", 2, 500),
    );
    for row in [&older, &newer, &older] {
        store.hint_put(row.clone()).await.unwrap();
    }
    assert_eq!(store.hints_find("session", "S1").await.unwrap(), [newer]);
}

pub async fn what_is_only_worth_adding_changes_no_hint_that_lives(place: &Place) {
    let store = place.store().await;
    let known = hint("S1", "DE/ABC", "NL/EMS", 0, 50);
    let again = |seen| HintChange::Add(hint("S1", "DE/ABC", "NL/EMS", seen, 900));
    store.hints_change(vec![HintChange::Add(known.clone())]).await.unwrap();
    store.hints_change(vec![again(49)]).await.unwrap();
    assert_eq!(store.hints_find("session", "S1").await.unwrap(), [known]);
    // Expired and not yet swept: as good as not there.
    store.hints_change(vec![again(50)]).await.unwrap();
    assert_eq!(store.hints_find("session", "S1").await.unwrap()[0].expires_at, at(900));
}

// N-07
pub async fn the_end_of_an_object_shortens_all_its_hints_and_prolongs_none(place: &Place) {
    let store = place.store().await;
    let rows = [
        hint("S1", "DE/ABC", "NL/AAA", 0, 900),
        hint("S1", "DE/ABC", "NL/BBB", 0, 30),
        hint("S1", "DE/XYZ", "NL/AAA", 0, 900),
    ];
    let changes = rows.iter().cloned().map(HintChange::Put).collect();
    store.hints_change(changes).await.unwrap();
    store
        .hints_change(vec![session_ends("S1", "DE/ABC", 60)])
        .await
        .unwrap();
    let found = store.hints_find("session", "S1").await.unwrap();
    let ends: Vec<_> = found.iter().map(|row| row.expires_at).collect();
    assert_eq!(ends, [at(60), at(30), at(900)]);
}

// CP-13
pub async fn dropping_the_hints_of_an_object_leaves_those_of_its_neighbours(place: &Place) {
    let store = place.store().await;
    for row in [
        hint("S1", "DE/ABC", "NL/AAA", 0, 900),
        hint("S1", "DE/ABC", "NL/BBB", 0, 900),
        hint("S1", "DE/XYZ", "NL/AAA", 0, 900),
        hint("S2", "DE/ABC", "NL/AAA", 0, 900),
    ] {
        store.hint_put(row).await.unwrap();
    }
    store.hints_drop("session", "S1", "DE/ABC").await.unwrap();
    store.hints_drop("session", "S1", "DE/ABC").await.unwrap();
    let left = store.hints_find("session", "S1").await.unwrap();
    assert_eq!(left.first().map(|row| row.owner_key.clone()), some("DE/XYZ"));
    assert_eq!(left.len(), 1);
    assert_eq!(store.hints_find("session", "S2").await.unwrap().len(), 1);
}

// N-07
pub async fn a_hint_is_forgotten_when_its_time_is_over_and_not_before(place: &Place) {
    let store = place.store().await;
    for (id, expires) in [("S1", 10), ("S2", 11), ("S3", 900)] {
        store.hint_put(hint(id, "DE/ABC", "NL/EMS", 0, expires)).await.unwrap();
    }
    assert_eq!(store.hints_forget_expired(at(9)).await.unwrap(), 0);
    assert_eq!(store.hints_forget_expired(at(11)).await.unwrap(), 2);
    assert_eq!(store.hints_find("session", "S1").await.unwrap(), []);
    assert_eq!(store.hints_find("session", "S3").await.unwrap().len(), 1);
}

pub async fn two_processes_that_learn_the_same_lose_nothing(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let learn = |store: Store, backwards: bool| async move {
        for round in 0..10 {
            let mut changes: Vec<_> = (0..60)
                .map(|n| HintChange::Put(hint(&format!("S{n}"), "DE/ABC", "NL/EMS", round, 900)))
                .collect();
            if backwards {
                changes.reverse();
            }
            store.hints_change(changes).await.unwrap();
        }
    };
    let (forwards, backwards) = tokio::join!(
        tokio::spawn(learn(one.clone(), false)),
        tokio::spawn(learn(other, true))
    );
    forwards.and(backwards).unwrap();
    for n in 0..60 {
        let found = one.hints_find("session", &format!("S{n}")).await.unwrap();
        assert_eq!(found, [hint(&format!("S{n}"), "DE/ABC", "NL/EMS", 9, 900)]);
    }
}
