//! URLs lent out.

use chrono::TimeDelta;
use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, id};

pub fn lent(name: &str) -> LentRow {
    LentRow {
        id: name.to_owned(),
        digest: format!("digest of {name}"),
        kind: "answer".to_owned(),
        module: "commands".to_owned(),
        what: "RESERVE_NOW".to_owned(),
        object: "S 1".to_owned(),
        requester_platform: "emsp".to_owned(),
        requester_country_code: "NL".to_owned(),
        requester_party_id: "eMs".to_owned(),
        receiver_platform: "cpo".to_owned(),
        receiver_country_code: "DE".to_owned(),
        receiver_party_id: "ABC".to_owned(),
        acts_for: Some("DE/MSA".to_owned()),
        url: "https://emsp.example/r?token=%C3%A4&x='y'&$1".to_owned(),
        created_at: at(0),
        expires_at: at(60),
    }
}

// CMD-11, D-11, D-14
pub async fn a_lent_url_is_there_as_it_was_lent_also_for_the_next_process(place: &Place) {
    let store = place.store().await;
    assert_eq!(store.lent_add(lent("Ab_-1")).await.unwrap(), "Ab_-1");
    let other = place.store().await;
    assert!(other.lent_find("Ab_-1", at(59)).await.unwrap() == Some(lent("Ab_-1")));
    // Ids are not compared without case: half of their randomness is in it.
    for wrong in ["ab_-1", "AB_-1", "Ab_-", "Ab_-1 ", "%", ""] {
        assert_eq!(other.lent_find(wrong, at(0)).await.unwrap(), None, "{wrong}");
    }
}

// D-11, D-14, N-07
pub async fn what_has_expired_is_not_there_and_is_deleted_in_portions(place: &Place) {
    let store = place.store().await;
    for n in 0..5 {
        let mut row = lent(&format!("old {n}"));
        row.expires_at = at(10 + n);
        store.lent_add(row).await.unwrap();
    }
    store.lent_add(lent("new")).await.unwrap();
    assert!(store.lent_find("old 0", at(9)).await.unwrap().is_some());
    assert_eq!(store.lent_find("old 0", at(10)).await.unwrap(), None);

    assert_eq!(store.lent_forget_expired(at(14), 3).await.unwrap(), 3);
    assert_eq!(store.lent_forget_expired(at(14), 3).await.unwrap(), 2);
    assert_eq!(store.lent_forget_expired(at(14), 3).await.unwrap(), 0);
    // Gone, not only hidden: also for somebody who asks at an earlier time.
    assert_eq!(store.lent_find("old 0", at(0)).await.unwrap(), None);
    assert!(store.lent_find("new", at(14)).await.unwrap().is_some());
}

// CMD-11, D-14
pub async fn the_end_of_a_lent_url_moves_only_in_the_direction_asked_for(place: &Place) {
    let store = place.store().await;
    store.lent_add(lent("one")).await.unwrap();
    let ends = |seconds: i64| {
        let store = store.clone();
        async move {
            let row = store.lent_find("one", at(0)).await.unwrap().unwrap();
            assert_eq!(row.expires_at, at(seconds));
        }
    };
    assert!(!store.lent_shorten("one", at(60)).await.unwrap());
    assert!(!store.lent_extend("one", at(60)).await.unwrap());
    assert!(!store.lent_shorten("one", at(90)).await.unwrap());
    ends(60).await;
    assert!(store.lent_extend("one", at(90)).await.unwrap());
    ends(90).await;
    assert!(!store.lent_extend("one", at(80)).await.unwrap());
    assert!(store.lent_shorten("one", at(30)).await.unwrap());
    ends(30).await;
    assert!(!store.lent_extend("nobody", at(90)).await.unwrap());
    // As far as there are instants.
    assert!(
        store
            .lent_extend("one", chrono::DateTime::<chrono::Utc>::MAX_UTC)
            .await
            .unwrap()
    );
    let row = store
        .lent_find("one", at(0) + TimeDelta::days(1_000_000))
        .await
        .unwrap();
    assert!(row.is_some());
}

// D-11, P-12
pub async fn the_same_lent_again_is_the_same_row_also_when_many_do_it_at_once(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let adds = (0..40).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        let mut row = lent(&id());
        row.digest = "the same".to_owned();
        row.expires_at = at(100 + n);
        tokio::spawn(async move { store.lent_add(row).await.unwrap() })
    });
    let ids: Vec<String> = join_all(adds).await.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));

    let mut again = lent(&id());
    again.digest = "the same".to_owned();
    again.created_at = at(500);
    again.expires_at = at(560);
    assert_eq!(one.lent_add(again).await.unwrap(), ids[0]);
    let row = one.lent_find(&ids[0], at(559)).await.unwrap().unwrap();
    assert_eq!((row.created_at, row.expires_at), (at(0), at(560)));
    assert_eq!(one.lent_forget_expired(at(1000), 100).await.unwrap(), 1);
}

// N-07
pub async fn a_row_lent_again_while_the_expired_are_deleted_is_not_lost(place: &Place) {
    let store = place.store().await;
    for round in 0..20 {
        let name = format!("page {round}");
        let mut row = lent(&name);
        row.expires_at = at(10);
        store.lent_add(row.clone()).await.unwrap();
        row.id = format!("{name} again");
        row.expires_at = at(99);
        let (forgotten, lent) = tokio::join!(store.lent_forget_expired(at(20), 100), store.lent_add(row));
        forgotten.unwrap();
        // Whichever came first: the id that was handed out opens.
        let id = lent.unwrap();
        assert!(store.lent_find(&id, at(20)).await.unwrap().is_some(), "{round}");
    }
}
