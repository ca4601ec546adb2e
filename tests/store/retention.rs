//! What the store promises about what is old.

use truewatt::store::*;

use crate::lent::lent;
use crate::mirror::{new, object};
use crate::place::Place;
use crate::world::{Cdr, at, cdr, journal_line, settlement};

const YEAR: i64 = 365 * 86_400;

async fn all_old(store: &Store, kind: OldKind, before: i64) -> Vec<Old> {
    store.old(kind, at(before), "", 1000).await.unwrap()
}

fn removing(kind: OldKind, after: &str, rows: u32, owner: &str) -> Removing {
    Removing {
        kind,
        before: at(YEAR),
        after: after.to_owned(),
        rows,
        owner: owner.to_owned(),
        until: at(YEAR + 60),
    }
}

async fn delivered(store: &Store, name: &str, block: &str) -> NewCdr {
    let new = cdr(name).with_blocks([block]);
    store.cdr_take(new.clone()).await.unwrap();
    store.cdr_settle(settlement(&new, Settled::Delivered)).await.unwrap();
    // Somebody has looked it through.
    store.examined(vec![(new.row.id.clone(), None)]).await.unwrap();
    new
}

/// CAL-R5, N-07, CDR-08: the octets go, and nothing that keeps id and blocks from serving another.
pub async fn of_an_old_cdr_the_octets_go_and_its_id_and_blocks_serve_no_other(place: &Place) {
    let store = place.store().await;
    let old = delivered(&store, "C-1", "aa").await;
    let owed = cdr("C-2");
    store.cdr_take(owed.clone()).await.unwrap();
    store.examined(vec![(owed.row.id.clone(), None)]).await.unwrap();
    let unseen = cdr("C-3");
    store.cdr_take(unseen.clone()).await.unwrap();
    store.cdr_settle(settlement(&unseen, Settled::Delivered)).await.unwrap();
    assert!(all_old(&store, OldKind::Cdrs, -1).await.is_empty());
    let seen = all_old(&store, OldKind::Cdrs, YEAR).await;
    let why: Vec<_> = seen.iter().map(|one| (one.id.as_str(), one.stays)).collect();
    let (one, two, three) = (old.row.id.as_str(), owed.row.id.as_str(), unseen.row.id.as_str());
    assert_eq!(why, [(one, None), (two, Some("undelivered")), (three, Some("recheck"))]);

    assert!(
        matches!(
            store.old_remove(removing(OldKind::Cdrs, "", 9, "me")).await,
            Err(StoreError::Busy)
        ),
        "without a lease"
    );
    assert!(
        store
            .retention_lease("me", at(YEAR), at(YEAR + 60), None)
            .await
            .unwrap()
    );
    let portion = store.old_remove(removing(OldKind::Cdrs, "", 9, "me")).await.unwrap();
    assert_eq!(portion, Portion { removed: 1, next: None });
    let known = store.cdr_find("DE/ABC", "c-1").await.unwrap().unwrap();
    assert!(known.is_removed() && known.content_digest == old.row.content_digest);
    assert_eq!(store.verdicts(&old.row.id).await.unwrap(), [old.report.as_str()]);
    assert_eq!(store.cdr_by_row(&old.row.id).await.unwrap(), None);
    assert_eq!(store.blocks_used(&old.blocks).await.unwrap().len(), 1);
    assert!(!store.cdr_by_row(&owed.row.id).await.unwrap().unwrap().is_removed());
    // Neither its id nor its block is free.
    assert!(matches!(store.cdr_take(cdr("C-1")).await.unwrap(), Taken::Known(known) if known.is_removed()));
    let again = store.cdr_take(cdr("C-9").with_blocks(["aa"])).await.unwrap();
    assert!(matches!(again, Taken::BlocksUsed(used) if used.len() == 1));
    assert_eq!(
        store.retention_so_far().await.unwrap(),
        (None, vec![("cdrs".to_owned(), 1)])
    );
}

/// Killed between two portions: whoever is next finds the rest, and nobody before the lease has ended.
pub async fn what_a_dead_process_did_not_remove_is_removed_by_the_next(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    for number in 0..7 {
        delivered(&one, &format!("C-{number}"), &format!("b{number}")).await;
    }
    assert!(
        one.retention_lease("dead", at(YEAR), at(YEAR + 60), None)
            .await
            .unwrap()
    );
    let first = one.old_remove(removing(OldKind::Cdrs, "", 3, "dead")).await.unwrap();
    assert_eq!((first.removed, first.next.is_some()), (3, true));
    assert!(
        !other
            .retention_lease("next", at(YEAR + 59), at(YEAR + 90), None)
            .await
            .unwrap()
    );
    assert!(
        other
            .retention_lease("next", at(YEAR + 61), at(YEAR + 90), None)
            .await
            .unwrap()
    );
    assert!(matches!(
        one.old_remove(removing(OldKind::Cdrs, &first.next.unwrap(), 3, "dead"))
            .await,
        Err(StoreError::Busy)
    ));
    let mut after = String::new();
    let mut removed = 0;
    loop {
        let portion = other
            .old_remove(removing(OldKind::Cdrs, &after, 3, "next"))
            .await
            .unwrap();
        removed += portion.removed;
        match portion.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(removed, 4);
    other.retention_end("next", at(YEAR + 70)).await.unwrap();
    let (ended, so_far) = one.retention_so_far().await.unwrap();
    assert_eq!((ended, so_far), (Some(at(YEAR + 70)), vec![("cdrs".to_owned(), 7)]));
    // Once is enough for a day.
    assert!(
        !one.retention_lease("me", at(YEAR + 99), at(YEAR + 120), Some(at(YEAR)))
            .await
            .unwrap()
    );
    assert!(
        one.retention_lease("me", at(YEAR + 99), at(YEAR + 120), Some(at(YEAR + 71)))
            .await
            .unwrap()
    );
}

/// CDR-19
pub async fn old_lines_of_the_journal_go_and_young_ones_stay(place: &Place) {
    let store = place.store().await;
    let mut young = journal_line("young", "cdrs");
    young.at = at(2 * YEAR);
    let mut old = journal_line("old", "cdrs");
    old.at = at(0);
    store.journal_add_all(vec![old, young]).await.unwrap();
    let seen = all_old(&store, OldKind::Journal, YEAR).await;
    assert_eq!(seen.iter().map(|one| one.at).collect::<Vec<_>>(), [at(0)]);
    assert!(
        store
            .retention_lease("me", at(YEAR), at(YEAR + 60), None)
            .await
            .unwrap()
    );
    assert_eq!(
        store
            .old_remove(removing(OldKind::Journal, "", 9, "me"))
            .await
            .unwrap()
            .removed,
        1
    );
    let (left, _) = store.journal_find(JournalFilter::default(), None, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|line| line.correlation_id.as_str()).collect::<Vec<_>>(),
        ["young"]
    );
}

/// What is kept of each kind: an old one that goes, and all that must stay.
async fn one_old_of(kind: OldKind, store: &Store, place: &Place) -> Vec<String> {
    match kind {
        OldKind::Sessions => {
            // A location is no session, and a session that has ended for its owner is a deleted object.
            let (mut old, mut young) = (object("DE/ABC", "S-1", 0), object("DE/ABC", "S-2", 2 * YEAR));
            let (mut gone, place_of_old) = (object("DE/ABC", "S-3", 0), object("DE/ABC", "L-1", 0));
            for session in [&mut old, &mut young, &mut gone] {
                session.module = "sessions".to_owned();
            }
            gone.deleted_at = Some(at(2 * YEAR));
            let going = old.id.clone();
            for row in [old, young, gone, place_of_old] {
                assert_eq!(
                    store.mirror_write(new(row)).await.unwrap(),
                    Written::Kept { behind: false }
                );
            }
            vec![going]
        }
        OldKind::Deleted => {
            let (mut old, mut young) = (object("DE/ABC", "D-1", 0), object("DE/ABC", "D-2", 0));
            old.deleted_at = Some(at(1));
            young.deleted_at = Some(at(2 * YEAR));
            let going = old.id.clone();
            for row in [old, young, object("DE/ABC", "D-3", 0)] {
                assert_eq!(
                    store.mirror_write(new(row)).await.unwrap(),
                    Written::Kept { behind: false }
                );
            }
            vec![going]
        }
        OldKind::Duties => {
            for (id, kind, state, give_up_at) in [
                ("old", "notice", "dead", 0),
                ("young", "notice", "dead", 2 * YEAR),
                ("owed", "notice", "owed", 0),
                ("cdr", "cdr", "dead", 0),
            ] {
                let give_up_at = at(give_up_at).timestamp_micros();
                let duty = format!(
                    "INSERT INTO outbox (id, platform_id, kind, object_id, revision, state, attempts, lease_until, next_attempt_at, give_up_at, created_at) \
                     VALUES ('{id}', 'p', '{kind}', 'o-{id}', 1, '{state}', 3, 0, 0, {give_up_at}, 0)"
                );
                place.execute(&duty).await;
            }
            vec!["old".to_owned()]
        }
        OldKind::Links => {
            let (old, mut young) = (lent("old"), lent("young"));
            young.expires_at = at(2 * YEAR);
            for row in [old, young] {
                store.lent_add(row).await.unwrap();
            }
            vec!["old".to_owned()]
        }
        OldKind::Cdrs | OldKind::Journal => unreachable!("they have tests of their own"),
    }
}

/// N-07
pub async fn of_sessions_deleted_objects_duties_and_links_only_what_is_old_goes(place: &Place) {
    let store = place.store().await;
    assert!(
        store
            .retention_lease("me", at(YEAR), at(YEAR + 60), None)
            .await
            .unwrap()
    );
    for kind in [OldKind::Sessions, OldKind::Deleted, OldKind::Duties, OldKind::Links] {
        let going = one_old_of(kind, &store, place).await;
        let seen = all_old(&store, kind, YEAR).await;
        let seen: Vec<_> = seen.into_iter().map(|one| (one.id, one.stays)).collect();
        let promised: Vec<_> = going.into_iter().map(|id| (id, None)).collect();
        assert_eq!(seen, promised, "{kind:?}");
        let portion = store.old_remove(removing(kind, "", 9, "me")).await.unwrap();
        assert_eq!(portion.removed, 1, "{kind:?}");
        assert!(all_old(&store, kind, YEAR).await.is_empty(), "{kind:?}");
        // What was young is there, and will be old one day.
        let later = all_old(&store, kind, 3 * YEAR).await;
        assert!(!later.is_empty(), "{kind:?}");
    }
}

/// A deleted object that a platform was not yet told of is told of first.
pub async fn a_deleted_object_that_somebody_missed_stays_until_it_was_told_of(place: &Place) {
    let store = place.store().await;
    let mut gone = object("DE/ABC", "L-1", 0);
    gone.deleted_at = Some(at(1));
    let id = gone.id.clone();
    store.mirror_write(new(gone)).await.unwrap();
    let missed = format!(
        "INSERT INTO outbox (id, platform_id, kind, object_id, revision, state, attempts, lease_until, next_attempt_at, give_up_at, created_at) \
         VALUES ('m', 'p', 'missed', '{id}', 1, 'waiting', 0, 0, 0, 0, 0)"
    );
    place.execute(&missed).await;
    let seen = all_old(&store, OldKind::Deleted, YEAR).await;
    assert_eq!(
        seen.iter().map(|one| one.stays).collect::<Vec<_>>(),
        [Some("undelivered")]
    );
    assert!(
        store
            .retention_lease("me", at(YEAR), at(YEAR + 60), None)
            .await
            .unwrap()
    );
    let portion = store.old_remove(removing(OldKind::Deleted, "", 9, "me")).await.unwrap();
    assert_eq!(portion.removed, 0);
}
