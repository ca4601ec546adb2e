//! What was seen of platforms, what everybody is told of them, agreements, and what was announced.

use truewatt::store::*;

use crate::place::Place;
use crate::world::*;

/// A platform that is registered.
async fn registered(store: &Store, id: &str, parties: &[(&str, &str, &str)]) {
    store.platform_create(platform(id, parties)).await.unwrap();
    let change = PlatformChange {
        id: id.to_owned(),
        status: some("CONNECTED"),
        at: Some(at(1)),
        ..PlatformChange::default()
    };
    store.platform_change(change).await.unwrap();
}

async fn seen(store: &Store) -> Vec<(String, String, i64)> {
    let rows = store.directory_load().await.unwrap().presence;
    rows.into_iter()
        .map(|row| (row.platform_id, row.status, (row.since - at(0)).num_seconds()))
        .collect()
}

// HCI-10, HCI-17, N-01, N-10
pub async fn of_any_number_of_processes_one_moves_a_platform(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    registered(&one, "p", &[("DE", "ABC", "CPO")]).await;
    assert_eq!(seen(&other).await, [("p".to_owned(), "CONNECTED".to_owned(), 1)]);
    let before = one.directory_revision().await.unwrap();
    let moves = (0..8).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        store.presence_move("p", "OFFLINE", at(10))
    });
    let moved = futures_util::future::join_all(moves).await;
    assert_eq!(moved.into_iter().filter(|moved| *moved.as_ref().unwrap()).count(), 1);
    assert_eq!(
        one.directory_revision().await.unwrap(),
        before + 1,
        "and the others see that something moved"
    );
    assert!(!other.presence_move("p", "OFFLINE", at(11)).await.unwrap());
    assert_eq!(seen(&other).await, [("p".to_owned(), "OFFLINE".to_owned(), 10)]);

    // Suspended is suspended, whatever is heard; and a fresh registration is awake.
    for (status, at_s) in [("SUSPENDED", 20), ("CONNECTED", 30)] {
        let change = PlatformChange {
            id: "p".to_owned(),
            status: some(status),
            at: Some(at(at_s)),
            ..PlatformChange::default()
        };
        one.platform_change(change).await.unwrap();
        assert_eq!(seen(&one).await, [("p".to_owned(), status.to_owned(), at_s)]);
        if status == "SUSPENDED" {
            assert!(!one.presence_move("p", "CONNECTED", at(21)).await.unwrap());
        }
    }
    assert!(!one.presence_move("nobody", "OFFLINE", at(40)).await.unwrap());
    one.platform_delete("p").await.unwrap();
    assert!(seen(&one).await.is_empty());
}

fn info(id: &str, party_id: &str, role: &str, status: &str, seconds: i64) -> ClientInfoRow {
    ClientInfoRow {
        id: id.to_owned(),
        country_code: "DE".to_owned(),
        party_id: party_id.to_owned(),
        role: role.to_owned(),
        status: status.to_owned(),
        last_updated: at(seconds),
    }
}

fn view(platform: &str, id: &str, status: &str, seconds: i64, revision: i64) -> ClientViewRow {
    ClientViewRow {
        platform_id: platform.to_owned(),
        client_info: id.to_owned(),
        status: status.to_owned(),
        last_updated: at(seconds),
        revision,
    }
}

fn duty(platform: &str, object: &str, revision: i64, seconds: i64) -> NewDuty {
    NewDuty {
        id: id(),
        platform_id: platform.to_owned(),
        kind: "clientinfo".to_owned(),
        object_id: object.to_owned(),
        revision,
        lease_owner: String::new(),
        lease_until: chrono::DateTime::UNIX_EPOCH,
        next_attempt_at: at(seconds),
        give_up_at: at(1000),
        created_at: at(seconds),
    }
}

/// Two roles of one party, told to `r`.
fn first() -> ClientInfoChange {
    ClientInfoChange {
        expected: -1,
        compared: 5,
        records: vec![
            info("1", "ABC", "EMSP", "CONNECTED", 2),
            info("2", "ABC", "CPO", "CONNECTED", 2),
        ],
        views: vec![view("r", "1", "CONNECTED", 2, 1), view("r", "2", "CONNECTED", 2, 1)],
        readers: vec!["r".to_owned()],
        duties: vec![duty("r", "1", 1, 2), duty("r", "2", 1, 2)],
        at: at(2),
        ..ClientInfoChange::default()
    }
}

// HCI-10, HCI-12, N-10
pub async fn a_comparison_is_committed_once_with_its_duties_or_not_at_all(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let commits =
        futures_util::future::join_all([one.client_info_commit(first()), other.client_info_commit(first())]).await;
    assert_eq!(commits.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(one.client_info_compared().await.unwrap(), 5);
    let (duties, _) = one.duty_list(None, None, 10).await.unwrap();
    assert_eq!(duties.len(), 2);
    let state = other.client_info_state().await.unwrap();
    assert_eq!(
        (state.records.len(), state.views.len(), state.readers),
        (2, 2, vec!["r".to_owned()])
    );
    assert_eq!(
        state.records,
        one.client_info_records().await.unwrap(),
        "in the order of creation"
    );
}

// HCI-02, HCI-12
pub async fn a_newer_state_takes_the_place_of_the_older_duty_and_keeps_its_lease(place: &Place) {
    let store = place.store().await;
    assert!(store.client_info_commit(first()).await.unwrap());
    let leased = store.duty_lease("me", at(3), at(33), 10).await.unwrap();
    let old = leased.iter().find(|duty| duty.object_id == "2").unwrap().clone();
    let newer = ClientInfoChange {
        expected: 5,
        compared: 6,
        records: vec![info("2", "ABC", "CPO", "OFFLINE", 4)],
        views: vec![view("r", "2", "OFFLINE", 4, 2)],
        duties: vec![duty("r", "2", 2, 4)],
        at: at(4),
        ..ClientInfoChange::default()
    };
    assert!(store.client_info_commit(newer).await.unwrap());
    let (duties, _) = store.duty_list(None, None, 10).await.unwrap();
    assert_eq!(duties.len(), 2, "not one more");
    assert!(
        store.duty_lease("you", at(5), at(35), 10).await.unwrap().is_empty(),
        "the older state is still on its way"
    );

    let line = journal_line("told", "hubclientinfo");
    let ended = store
        .told_settle(&old.id, "me", old.revision, Told::Ended, Some(line))
        .await;
    assert!(!ended.unwrap(), "what was told is not the newest");
    let again = store.duty_lease("you", at(6), at(36), 10).await.unwrap();
    assert_eq!(again.iter().map(|duty| duty.revision).collect::<Vec<_>>(), [2]);
    let owed = store.client_info_duty(&again[0].id).await.unwrap().unwrap();
    assert_eq!(
        (owed.shown.status.as_str(), owed.revision, owed.waits_for),
        ("OFFLINE", 2, None)
    );
    let postponed = Told::Postponed {
        next_attempt_at: at(60),
        outcome: "HTTP 500".to_owned(),
    };
    assert!(
        store
            .told_settle(&again[0].id, "you", 2, postponed, None)
            .await
            .unwrap()
    );
    let row = store.duty_get(&again[0].id).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.next_attempt_at, row.lease_until), (1, at(60), None));
    assert!(store.told_settle(&row.id, "you", 2, Told::Ended, None).await.unwrap());
    assert_eq!(store.duty_get(&row.id).await.unwrap(), None);
    assert_eq!(store.client_info_duty(&row.id).await.unwrap(), None);
}

// D-21
pub async fn the_cpo_role_goes_before_the_other_roles_of_a_party(place: &Place) {
    let store = place.store().await;
    assert!(store.client_info_commit(first()).await.unwrap());
    let (duties, _) = store.duty_list(None, None, 10).await.unwrap();
    let of = |object: &str| duties.iter().find(|duty| duty.object_id == object).unwrap().id.clone();
    let waits = async |id: &str| store.client_info_duty(id).await.unwrap().unwrap().waits_for;
    assert_eq!((waits(&of("1")).await, waits(&of("2")).await), (Some(at(2)), None));
    assert!(store.told_settle(&of("2"), "me", 1, Told::Ended, None).await.unwrap());
    assert_eq!(waits(&of("1")).await, None);
}

// HCI-01, HCI-03, HCI-13, P-02
pub async fn a_platform_reads_what_it_is_told_and_a_platform_that_is_gone_is_owed_nothing(place: &Place) {
    let store = place.store().await;
    assert!(store.client_info_commit(first()).await.unwrap());
    let page = store.client_info_page("r", None, None, 0, 10).await.unwrap();
    assert_eq!(
        page.iter().map(|shown| shown.role.as_str()).collect::<Vec<_>>(),
        ["EMSP", "CPO"]
    );
    assert_eq!(
        store.client_info_page("r", None, None, 1, 1).await.unwrap()[0].role,
        "CPO"
    );
    assert_eq!(
        store.client_info_count("r", Some(at(2)), None).await.unwrap(),
        2,
        "from inclusive"
    );
    assert_eq!(
        store.client_info_count("r", None, Some(at(2))).await.unwrap(),
        0,
        "to exclusive"
    );
    assert_eq!(store.client_info_count("somebody else", None, None).await.unwrap(), 0);
    let gone = ClientInfoChange {
        expected: 5,
        compared: 6,
        gone: vec!["r".to_owned()],
        at: at(3),
        ..ClientInfoChange::default()
    };
    assert!(store.client_info_commit(gone).await.unwrap());
    assert!(store.duty_list(None, None, 10).await.unwrap().0.is_empty());
    let state = store.client_info_state().await.unwrap();
    assert_eq!(
        (state.records.len(), state.views.len(), state.readers.len()),
        (2, 0, 0),
        "a record is never deleted"
    );
}

// D-17, N-09
pub async fn agreements_are_one_document_that_moves_the_directory(place: &Place) {
    let store = place.store().await;
    assert_eq!(store.directory_load().await.unwrap().agreements, None);
    for text in ["{\"default\":\"deny\"}", "{\"default\":\"allow\"}"] {
        let before = store.directory_revision().await.unwrap();
        store
            .agreements_put(text.to_owned(), journal_line(text, "agreements"), at(1))
            .await
            .unwrap();
        assert_eq!(store.directory_revision().await.unwrap(), before + 1);
        assert_eq!(store.directory_load().await.unwrap().agreements.as_deref(), Some(text));
        let (lines, _) = store.journal_find(about(text), None, 10).await.unwrap();
        assert_eq!(lines.len(), 1);
    }
}

// V-10
pub async fn one_process_at_a_time_announces_and_a_handshake_ends_it(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    registered(&one, "p", &[("DE", "ABC", "CPO")]).await;
    assert!(one.announced().await.unwrap().is_empty());
    let turns = futures_util::future::join_all([
        one.announced_attempt("p", at(10), at(300)),
        other.announced_attempt("p", at(10), at(300)),
    ]);
    assert_eq!(
        turns.await.into_iter().filter(|mine| *mine.as_ref().unwrap()).count(),
        1
    );
    assert!(!other.announced_attempt("p", at(299), at(600)).await.unwrap());
    assert!(other.announced_attempt("p", at(300), at(900)).await.unwrap());
    assert_eq!(one.announced().await.unwrap()[0].failures, 2);
    let told = PlatformChange {
        id: "p".to_owned(),
        announced: Some(("digest".to_owned(), at(400))),
        ..PlatformChange::default()
    };
    one.platform_change(told).await.unwrap();
    let row = &other.announced().await.unwrap()[0];
    assert_eq!(
        (row.digest.as_str(), row.failures, row.not_before),
        ("digest", 0, at(400))
    );
    assert!(
        !other.announced_attempt("p", at(399), at(900)).await.unwrap(),
        "not twice in a moment"
    );
    one.platform_delete("p").await.unwrap();
    assert!(one.announced().await.unwrap().is_empty());
}

// HCI-08
pub async fn of_several_processes_one_looks_after_a_platform_and_the_others_hear_what_it_found(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    assert_eq!(one.presence_check("p", at(0), at(30)).await.unwrap(), Checked::ByYou);
    assert_eq!(
        other.presence_check("p", at(10), at(40)).await.unwrap(),
        Checked::ByOthers(None)
    );
    assert_eq!(
        other.presence_check("q", at(10), at(40)).await.unwrap(),
        Checked::ByYou,
        "another one"
    );
    one.presence_checked("p", at(12), false).await.unwrap();
    assert_eq!(
        other.presence_check("p", at(29), at(59)).await.unwrap(),
        Checked::ByOthers(Some((at(12), false)))
    );
    let asked: Vec<_> = (0..8)
        .map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { store.presence_check("p", at(30), at(60)).await.unwrap() })
        })
        .collect();
    let mut mine = 0;
    for answer in asked {
        mine += usize::from(answer.await.unwrap() == Checked::ByYou);
    }
    assert_eq!(mine, 1);
    one.presence_checked("p", at(31), true).await.unwrap();
    assert_eq!(
        other.presence_check("p", at(32), at(62)).await.unwrap(),
        Checked::ByOthers(Some((at(31), true)))
    );
}
