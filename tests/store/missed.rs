//! What the store promises about broadcasts that platforms have missed.

use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, id};

fn object(name: &str) -> MirrorWrite {
    MirrorWrite {
        row: MirrorRow {
            id: id(),
            module: "locations".to_owned(),
            country_code: "DE".to_owned(),
            party_id: "ABC".to_owned(),
            owner_key: "DE/ABC".to_owned(),
            object_id: name.to_owned(),
            object_key: name.to_owned(),
            shelf: "DE/ABC".to_owned(),
            version: "2.2.1".to_owned(),
            last_updated: at(0),
            revision: 1,
            deleted_at: None,
            listed: false,
            body: "{}".to_owned(),
        },
        replaces: None,
        copy: None,
        missed: Vec::new(),
    }
}

fn next(before: &MirrorWrite) -> MirrorWrite {
    let mut next = before.clone();
    next.copy = None;
    next.replaces = Some(before.row.revision);
    next.row.revision += 1;
    next
}

fn by(platform: &str, at_most: u32) -> NewMissed {
    NewMissed {
        duty: NewDuty {
            id: id(),
            platform_id: platform.to_owned(),
            kind: "broadcast".to_owned(),
            object_id: String::new(),
            revision: 0,
            lease_owner: String::new(),
            lease_until: at(0),
            next_attempt_at: at(0),
            give_up_at: at(1_000_000),
            created_at: at(0),
        },
        at_most,
    }
}

fn named(name: &str, revision: i64) -> ObjectRevision {
    ObjectRevision {
        module: "locations".to_owned(),
        owner_key: "DE/ABC".to_owned(),
        object_key: name.to_owned(),
        revision,
    }
}

async fn owed(store: &Store) -> Vec<DutyRow> {
    store.duty_list(None, None, 100).await.unwrap().0
}

async fn lease(store: &Store, owner: &str) -> Vec<DutyRow> {
    store.duty_lease(owner, at(10), at(40), 10).await.unwrap()
}

/// design.md promise 3, D-18
pub async fn what_was_missed_is_one_duty_for_each_object_and_platform_written_with_the_object(place: &Place) {
    let store = place.store().await;
    let first = MirrorWrite {
        missed: vec![by("p", 9), by("q", 9)],
        ..object("L1")
    };
    store.mirror_write(first.clone()).await.unwrap();
    let second = MirrorWrite {
        missed: vec![by("p", 9)],
        ..next(&first)
    };
    store.mirror_write(second.clone()).await.unwrap();
    // What was overtaken is owed to nobody.
    let overtaken = MirrorWrite {
        missed: vec![by("r", 9)],
        ..next(&first)
    };
    assert_eq!(store.mirror_write(overtaken).await.unwrap(), Written::Overtaken);
    let duties = owed(&store).await;
    let said: Vec<_> = duties
        .iter()
        .map(|duty| (duty.platform_id.as_str(), duty.revision))
        .collect();
    assert_eq!(said, [("p", 2), ("q", 1)]);
    assert!(
        duties.iter().all(|duty| duty.object_id == first.row.id),
        "the place in the mirror, no name"
    );
    let (found, nothing) = (store.mirror_at(&first.row.id).await, store.mirror_at("x").await);
    assert_eq!((found.unwrap(), nothing.unwrap()), (Some(second.row), None));
}

/// D-16, D-18
pub async fn a_newer_revision_that_was_missed_is_not_settled_by_an_older_one_that_was_told(place: &Place) {
    let store = place.store().await;
    let first = MirrorWrite {
        missed: vec![by("p", 9)],
        ..object("L1")
    };
    store.mirror_write(first.clone()).await.unwrap();
    let duty = lease(&store, "me").await.pop().unwrap();
    store.mirror_write(next(&first)).await.unwrap();
    store.missed_owe(named("L1", 2), vec![by("p", 9)]).await.unwrap();
    // News of before changes nothing.
    store.missed_owe(named("L1", 1), vec![by("p", 9)]).await.unwrap();
    assert!(!store.missed_settle(&duty.id, "me", 1, MissedTold::Ended).await.unwrap());
    let left = owed(&store).await;
    assert_eq!((left[0].revision, left[0].lease_until), (2, None), "due again");
    let duty = lease(&store, "me").await.pop().unwrap();
    let told = MissedTold::Postponed {
        next_attempt_at: at(90),
        outcome: "no".to_owned(),
    };
    assert!(!store.missed_settle(&duty.id, "another", 2, told.clone()).await.unwrap());
    assert!(store.missed_settle(&duty.id, "me", 2, told).await.unwrap());
    let left = owed(&store).await.remove(0);
    assert_eq!(
        (left.attempts, left.next_attempt_at, left.last_outcome.as_deref()),
        (1, at(90), Some("no"))
    );
    // Dead, until something newer is missed.
    store.duties_nudge("p", at(10)).await.unwrap();
    lease(&store, "me").await;
    let dead = MissedTold::Dead {
        outcome: "never".to_owned(),
    };
    assert!(store.missed_settle(&duty.id, "me", 2, dead).await.unwrap());
    assert_eq!(owed(&store).await[0].state, "dead");
    store.missed_owe(named("L1", 3), vec![by("p", 9)]).await.unwrap();
    let again = owed(&store).await.remove(0);
    assert_eq!((again.state.as_str(), again.revision, again.attempts), ("owed", 3, 0));
    assert!(store.missed_settle(&duty.id, "me", 3, MissedTold::Ended).await.unwrap());
    assert!(owed(&store).await.is_empty());
}

/// D-18, R-61
pub async fn what_a_platform_hears_as_a_whole_ends_what_it_missed_before(place: &Place) {
    let store = place.store().await;
    let first = MirrorWrite {
        missed: vec![by("p", 9), by("q", 9)],
        ..object("L1")
    };
    store.mirror_write(first.clone()).await.unwrap();
    store.mirror_write(next(&first)).await.unwrap();
    store.missed_owe(named("L1", 2), vec![by("p", 9)]).await.unwrap();
    for (kind, name, revision) in [("broadcast", "L1", 1), ("broadcast", "L2", 9), ("cdr", "L1", 9)] {
        store.missed_heard(kind, "p", named(name, revision)).await.unwrap();
    }
    assert_eq!(owed(&store).await.len(), 2, "nothing of that was missed");
    store.missed_heard("broadcast", "p", named("L1", 2)).await.unwrap();
    let left = owed(&store).await;
    assert_eq!((left.len(), left[0].platform_id.as_str()), (1, "q"));
}

/// D-16
pub async fn what_one_platform_missed_is_bounded_and_leased_to_one_of_many(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let mut firsts = Vec::new();
    for name in ["L1", "L2", "L3"] {
        let first = MirrorWrite {
            missed: vec![by("p", 2), by("q", 2)],
            ..object(name)
        };
        assert_eq!(
            one.mirror_write(first.clone()).await.unwrap(),
            Written::Kept { behind: false }
        );
        firsts.push(first);
    }
    assert_eq!(owed(&one).await.len(), 4, "the third is kept all the same");
    // Those that are owed follow their objects.
    let mut second = next(&firsts[0]);
    second.missed = vec![by("p", 2)];
    one.mirror_write(second).await.unwrap();
    assert_eq!(owed(&one).await.iter().map(|duty| duty.revision).max(), Some(2));
    let leases = (0..10).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { store.duty_lease("me", at(10), at(40), 2).await.unwrap() })
    });
    let leased: usize = join_all(leases)
        .await
        .into_iter()
        .map(|leased| leased.unwrap().len())
        .sum();
    assert_eq!(leased, 4);
}

/// D-16, R-62
pub async fn a_state_is_told_only_as_it_is_now_and_behind_what_others_carry(place: &Place) {
    let store = place.store().await;
    let copy = |owner: &str| NewCopy {
        id: id(),
        platform_id: "cpo".to_owned(),
        sender: "DE/ABC".to_owned(),
        sender_role: "CPO".to_owned(),
        version: "2.2.1".to_owned(),
        method: "PUT".to_owned(),
        tail: "/DE/ABC/L1".to_owned(),
        query: None,
        body: None,
        correlation_id: "c".to_owned(),
        lease_owner: owner.to_owned(),
        lease_until: at(60),
        created_at: at(0),
    };
    let first = MirrorWrite {
        copy: Some(copy("theirs")),
        ..object("L1")
    };
    store.mirror_write(first.clone()).await.unwrap();
    assert_eq!(store.copy_again(copy("mine"), named("L1", 2)).await.unwrap(), None);
    assert_eq!(store.copy_again(copy("mine"), named("L2", 1)).await.unwrap(), None);
    store.mirror_write(next(&first)).await.unwrap();
    let again = copy("mine");
    assert_eq!(
        store.copy_again(again.clone(), named("L1", 2)).await.unwrap(),
        Some(true)
    );
    assert_eq!(store.copies_count().await.unwrap(), 2);
    store.copy_end(&again.id).await.unwrap();
    store.copy_end(&first.copy.unwrap().id).await.unwrap();
    assert_eq!(
        store.copy_again(copy("mine"), named("L1", 2)).await.unwrap(),
        Some(false)
    );
}
