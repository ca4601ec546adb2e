//! What follows from the registry and from doubts: traces, second looks, cases.

use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::*;

/// A CDR of a meter that charged between two seconds.
fn traced(name: &str, meter: &str, began: i64, ended: i64) -> NewCdr {
    NewCdr {
        traces: Traces {
            evse: some("DEABCE1"),
            meters: vec![meter.to_owned()],
            began: Some(at(began)),
            ended: Some(at(ended)),
            ..Traces::default()
        },
        ..cdr(name)
    }
}

fn asks(names: &[(TraceKind, &str)]) -> TraceQuery {
    TraceQuery {
        names: names.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect(),
        ..TraceQuery::default()
    }
}

fn rows(found: &[TracePlace]) -> Vec<&str> {
    found.iter().map(|place| place.row_id.as_str()).collect()
}

pub async fn what_asks_by_a_name_is_found_once_in_order_page_by_page(place: &Place) {
    let store = place.store().await;
    let mut two_meters = traced("C-3", "M1", 50, 60);
    two_meters.traces.meters.push("M3".to_owned());
    let mut timeless = traced("C-4", "M1", 0, 0);
    (timeless.traces.began, timeless.traces.ended) = (None, None);
    let backwards = traced("C-5", "M9", 90, 70);
    let all = [
        traced("C-1", "M1", 10, 20),
        traced("C-2", "M2", 30, 40),
        two_meters,
        timeless,
        backwards,
    ];
    for new in &all {
        assert_eq!(store.cdr_take(new.clone()).await.unwrap(), Taken::New);
    }
    let id = |nth: usize| all[nth].row.id.as_str();
    let find = async |query: &TraceQuery| {
        let mut found = Vec::new();
        let mut after = TracePlace::start();
        loop {
            let page = store.traces_find(query, &after, 2).await.unwrap();
            let Some(last) = page.last() else { return found };
            after = last.clone();
            found.extend(page);
        }
    };
    let of_meter = asks(&[(TraceKind::Meter, "M1")]);
    assert_eq!(rows(&find(&of_meter).await), [id(0), id(2), id(3)]);
    assert_eq!(rows(&find(&asks(&[(TraceKind::Meter, "M3")])).await), [id(2)]);
    // By several names, each CDR once.
    let both = asks(&[
        (TraceKind::Meter, "M1"),
        (TraceKind::Evse, "DEABCE1"),
        (TraceKind::Gateway, "M1"),
    ]);
    assert_eq!(rows(&find(&both).await), [id(0), id(1), id(2), id(4), id(3)]);
    let window = |from, to| TraceQuery {
        from: Some(at(from)),
        to: Some(at(to)),
        ..asks(&[(TraceKind::Evse, "DEABCE1")])
    };
    assert_eq!(
        rows(&find(&window(35, 50)).await),
        [id(1), id(3)],
        "what charged at an unknown time is in every window"
    );
    assert_eq!(
        rows(&find(&window(75, 80)).await),
        [id(4), id(3)],
        "a clock that ran backwards"
    );
    let late = TraceQuery {
        arrived_after: id(2).to_owned(),
        ..of_meter
    };
    // Made in this order: C-3, C-4, C-5, C-1, C-2.
    assert_eq!(rows(&find(&late).await), [id(0), id(3)]);
    assert_eq!(store.traces_of(id(2)).await.unwrap().unwrap().meters, ["M1", "M3"]);
}

pub async fn cdrs_of_the_time_before_traces_are_walked_through(place: &Place) {
    let store = place.store().await;
    let all: Vec<NewCdr> = (0..5).map(|n| traced(&format!("C-{n}"), "M1", n, n + 1)).collect();
    for new in &all {
        store.cdr_take(new.clone()).await.unwrap();
    }
    place
        .execute(&format!("DELETE FROM traces WHERE cdr <> '{}'", all[1].row.id))
        .await;
    assert_eq!(store.traces_walk().await.unwrap().rounds, 0);
    assert_eq!(store.traces_ahead().await.unwrap(), 5);
    let mut position = String::new();
    let mut entered = Vec::new();
    loop {
        let (end, missing) = store.traces_missing(&position, 2).await.unwrap();
        let traces: Vec<_> = missing.iter().map(|cdr| (cdr.id.clone(), Traces::default())).collect();
        entered.extend(missing.into_iter().map(|cdr| cdr.id));
        store.traces_enter(&traces, end.as_deref()).await.unwrap();
        match end {
            Some(end) => position = end,
            None => break,
        }
    }
    assert_eq!(entered, [0, 2, 3, 4].map(|nth: usize| all[nth].row.id.clone()));
    let walk = store.traces_walk().await.unwrap();
    assert_eq!((walk.rounds, walk.position.as_str()), (1, all[4].row.id.as_str()));
    assert_eq!(store.traces_ahead().await.unwrap(), 0);
    // A slower process does not pull it back.
    store.traces_enter(&[], Some(&all[0].row.id)).await.unwrap();
    assert_eq!(store.traces_walk().await.unwrap().position, all[4].row.id);
}

/// Also when the one who worked on it was killed.
pub async fn a_change_is_entered_once_and_worked_off_by_one_at_a_time(place: &Place) {
    let (store, other) = (place.store().await, place.store().await);
    let new = |change| NewRecheck {
        change,
        subject: "r1".to_owned(),
        affected: asks(&[(TraceKind::Meter, "M1")]),
    };
    assert_eq!(store.recheck_cursor().await.unwrap(), 0);
    let entering = [&store, &other].map(|store| store.recheck_enter(0, 2, vec![new(1), new(2)], at(0)));
    let entered: Vec<bool> = join_all(entering).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(entered.iter().filter(|entered| **entered).count(), 1);
    assert_eq!(
        (
            store.recheck_cursor().await.unwrap(),
            store.recheck_list(10).await.unwrap().1
        ),
        (2, 2)
    );

    let leasing = ["a", "b", "c"].map(|owner| store.recheck_lease(owner, at(1), at(61)));
    let leased: Vec<_> = join_all(leasing).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(leased.len(), 2, "two changes, three workers");
    let first = leased.iter().find(|row| row.change == 1).unwrap();
    assert_eq!(first.place, TracePlace::start());
    let place_of = |name: &str| TracePlace {
        ended_at: 7,
        row_id: name.to_owned(),
    };
    let step = |name: &str| RecheckProgress {
        place: place_of(name),
        checked: 100,
        changed: 3,
        lease_until: at(62),
    };
    let mut owner = "";
    for name in ["a", "b", "c"] {
        if store.recheck_advance(&first.id, name, step("x")).await.unwrap() {
            owner = name;
        }
    }
    assert!(!owner.is_empty(), "one of them has it");
    assert_eq!(
        other.recheck_lease("d", at(30), at(90)).await.unwrap(),
        None,
        "both are worked on"
    );
    // Whoever worked on it says nothing more: another goes on at the place that was noted.
    let mut taken = Vec::new();
    while let Some(row) = other.recheck_lease("d", at(100), at(200)).await.unwrap() {
        taken.push(row);
    }
    let again = taken.iter().find(|row| row.change == 1).unwrap();
    assert_eq!((&again.place, again.checked, again.changed), (&place_of("x"), 100, 3));
    assert!(!store.recheck_advance(&first.id, owner, step("y")).await.unwrap());
    assert!(!store.recheck_finish(&first.id, owner, at(101)).await.unwrap());

    let second = taken.iter().find(|row| row.change == 2).unwrap();
    assert!(other.recheck_finish(&second.id, "d", at(150)).await.unwrap());
    // The second pass begins anew, later, and with what arrived behind an id.
    assert!(
        other
            .recheck_again(again, "d", "0190".to_owned(), at(500))
            .await
            .unwrap()
    );
    assert_eq!(other.recheck_lease("e", at(499), at(600)).await.unwrap(), None);
    let second = other.recheck_lease("e", at(500), at(600)).await.unwrap().unwrap();
    assert_eq!(
        (second.pass, &second.place, second.checked),
        (2, &TracePlace::start(), 100)
    );
    assert_eq!(
        (second.affected.arrived_after.as_str(), second.affected.names.len()),
        ("0190", 1)
    );
    assert!(other.recheck_finish(&second.id, "e", at(501)).await.unwrap());
    let (listed, unfinished) = store.recheck_list(10).await.unwrap();
    assert_eq!((listed.len(), unfinished), (2, 0));
}

pub async fn of_two_second_looks_at_once_one_is_added(place: &Place) {
    let (store, other) = (place.store().await, place.store().await);
    let new = cdr("C-1");
    store.cdr_take(new.clone()).await.unwrap();
    let before = store.verdict_newest(&new.row.id).await.unwrap().unwrap();
    assert_eq!(before.report, new.report);
    let verdict = |report: &str| NewVerdict {
        row_id: new.row.id.clone(),
        report: report.to_owned(),
        status: "INVALID".to_owned(),
        billable: false,
        marker: None,
        checked_at: at(9),
        blocks: Vec::new(),
        instead_of: Some(before.id.clone()),
        notice: None,
    };
    let adding = [
        store.verdict_add(verdict("\"one\"")),
        other.verdict_add(verdict("\"two\"")),
    ];
    let added: Vec<_> = join_all(adding).await;
    assert_eq!(added.iter().filter(|one| one.is_ok()).count(), 1, "{added:?}");
    assert!(
        added.iter().any(|one| matches!(one, Err(StoreError::Conflict(_)))),
        "{added:?}"
    );
    assert_eq!(store.verdicts(&new.row.id).await.unwrap().len(), 2);
    assert_eq!(
        store.unexamined(10).await.unwrap().len(),
        1,
        "the new verdict is to be looked through"
    );
}

/// key-registry.md SAF-44.
pub async fn a_meter_has_one_open_case_whoever_finds_the_doubt(place: &Place) {
    let (store, other) = (place.store().await, place.store().await);
    let all: Vec<NewCdr> = (0..4)
        .map(|n| traced(&format!("C-{n}"), "M1", 10 * n, 10 * n + 5))
        .collect();
    let elsewhere = traced("X-1", "M1", 20, 25).from("DE", "XYZ");
    for new in all.iter().chain([&elsewhere]) {
        store.cdr_take(new.clone()).await.unwrap();
    }
    assert_eq!(store.unexamined(100).await.unwrap().len(), 5);
    let subject = CaseSubject {
        cpo_key: "DE/ABC".to_owned(),
        kind: TraceKind::Meter,
        name: "M1".to_owned(),
    };
    let before = store
        .meter_before(&subject, at(25).timestamp_micros(), 0, 10)
        .await
        .unwrap();
    let rows = |side: &[MeterNeighbour]| side.iter().map(|one| one.row_id.clone()).collect::<Vec<_>>();
    let known = |numbers: &[usize]| numbers.iter().map(|n| all[*n].row.id.clone()).collect::<Vec<_>>();
    assert_eq!(rows(&before), known(&[2, 1, 0]));
    let span = |began: i64, ended: i64| MeterSpan {
        subject: subject.clone(),
        began_at: at(began).timestamp_micros(),
        ended_at: at(ended).timestamp_micros(),
    };
    let beside = store
        .meter_neighbours(vec![span(15, 15), span(4, 40), span(20, 5)], 2)
        .await
        .unwrap();
    let beside: Vec<_> = beside
        .iter()
        .map(|[before, after]| (rows(before), rows(after)))
        .collect();
    assert_eq!(
        beside,
        [
            (known(&[1, 0]), known(&[2, 3])),
            (known(&[]), known(&[])),
            (known(&[1, 0]), known(&[1, 2])),
        ]
    );

    let doubt = |code: &str| CaseDoubt {
        subject: subject.clone(),
        shown_as: "M1".to_owned(),
        findings: vec![(code.to_owned(), "because".to_owned())],
        last_good: Some((all[0].row.id.clone(), at(5).timestamp_micros())),
    };
    let doubting = [
        store.case_doubt(&all[2].row.id, doubt("ONE"), at(100)),
        other.case_doubt(&all[3].row.id, doubt("TWO"), at(100)),
    ];
    let cases: Vec<String> = join_all(doubting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(cases[0], cases[1], "one meter, one case");
    store
        .examined(vec![
            (all[0].row.id.clone(), Some(subject.clone())),
            (elsewhere.row.id.clone(), None),
        ])
        .await
        .unwrap();
    let left: Vec<String> = store
        .unexamined(100)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.row_id)
        .collect();
    assert_eq!(left, [all[1].row.id.clone()]);
    let (members, _) = store.case_members(&cases[0], None, 10).await.unwrap();
    // C-0 was looked through while the case was open; before, it was the last good one and no part of it.
    assert_eq!(
        members.iter().map(|one| one.cdr_id.as_str()).collect::<Vec<_>>(),
        ["C-0", "C-1", "C-2", "C-3"]
    );
    assert_eq!(store.case_findings(&cases[0]).await.unwrap().len(), 2);

    assert!(store.case_close(&cases[0], "ann", "done", at(200)).await.unwrap());
    assert!(!other.case_close(&cases[0], "bob", "done", at(201)).await.unwrap());
    assert!(matches!(
        store.case_close("nobody", "ann", "x", at(200)).await,
        Err(StoreError::NotFound)
    ));
    let closed = store.case_get(&cases[0]).await.unwrap().unwrap();
    assert_eq!((closed.closed_by.as_deref(), closed.cdrs), (Some("ann"), 4));
    // The same about the same CDR is nothing new; another code is.
    assert_eq!(
        store.case_doubt(&all[2].row.id, doubt("ONE"), at(300)).await.unwrap(),
        cases[0]
    );
    assert_ne!(
        store.case_doubt(&all[2].row.id, doubt("THREE"), at(300)).await.unwrap(),
        cases[0]
    );
    assert_eq!(
        store
            .case_list(Some(true), Some("DE/ABC"), None, 10)
            .await
            .unwrap()
            .0
            .len(),
        1
    );
    assert_eq!(store.case_list(None, None, None, 10).await.unwrap().0.len(), 2);
}
