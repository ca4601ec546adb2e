//! What the store promises about objects kept for others, copies on their way, and pulls.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::{at, id};

pub fn object(owner: &str, name: &str, updated: i64) -> MirrorRow {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    MirrorRow {
        id: id(),
        module: "locations".to_owned(),
        country_code: country_code.to_owned(),
        party_id: party_id.to_owned(),
        owner_key: owner.to_ascii_uppercase(),
        object_id: name.to_owned(),
        object_key: name.to_ascii_uppercase(),
        shelf: owner.to_ascii_uppercase(),
        version: "2.2.1".to_owned(),
        last_updated: at(updated),
        revision: 1,
        deleted_at: None,
        listed: true,
        body: format!("{{ \"id\" : \"{name}\" , \"n\":1.0}}"),
    }
}

pub fn new(row: MirrorRow) -> MirrorWrite {
    MirrorWrite {
        row,
        replaces: None,
        copy: None,
        missed: Vec::new(),
    }
}

/// The next state of what is there.
fn next(row: &MirrorRow, change: impl FnOnce(&mut MirrorRow)) -> MirrorWrite {
    let mut next = row.clone();
    next.revision += 1;
    change(&mut next);
    MirrorWrite {
        row: next,
        replaces: Some(row.revision),
        copy: None,
        missed: Vec::new(),
    }
}

fn copy(owner: &str, until: i64) -> NewCopy {
    NewCopy {
        id: id(),
        platform_id: "cpo".to_owned(),
        sender: "DE/ABC".to_owned(),
        sender_role: "CPO".to_owned(),
        version: "2.2.1".to_owned(),
        method: "PUT".to_owned(),
        tail: "/DE/ABC/L%2F1".to_owned(),
        query: Some("a=b%20c".to_owned()),
        body: Some("{ \"id\":\"L/1\"}".to_owned()),
        correlation_id: "corr".to_owned(),
        lease_owner: owner.to_owned(),
        lease_until: at(until),
        created_at: at(0),
    }
}

fn of(shelves: &[&str]) -> MirrorFilter {
    MirrorFilter {
        module: "locations".to_owned(),
        shelves: shelves.iter().map(|shelf| (*shelf).to_owned()).collect(),
        ..MirrorFilter::default()
    }
}

const KEPT: Written = Written::Kept { behind: false };

/// Every page of a list, by its own links.
async fn crawl(store: &Store, filter: &MirrorFilter, limit: u32) -> Vec<Vec<String>> {
    let about = store.mirror_count(filter.clone()).await.unwrap();
    let (mut pages, mut place) = (Vec::new(), Some(MirrorPlace::Offset(0)));
    while let Some(at) = place {
        let page = store
            .mirror_page(filter.clone(), at, of_any_weight(limit), about)
            .await
            .unwrap();
        pages.push(names(&page));
        place = page.next;
    }
    pages
}

fn of_any_weight(objects: u32) -> PageSize {
    PageSize {
        objects,
        octets: u64::MAX,
    }
}

fn names(page: &MirrorPage) -> Vec<String> {
    page.items
        .iter()
        .map(|item| item.body.split('"').nth(3).unwrap().to_owned())
        .collect()
}

fn last_updated_of(filter: &MirrorFilter, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> MirrorFilter {
    MirrorFilter {
        date_from: from,
        date_to: to,
        ..filter.clone()
    }
}

// T-42, LOC-22
async fn an_object_is_kept_as_it_was_spelled_and_found_in_any_case(place: &Place) {
    let store = place.store().await;
    let row = object("De/aBc", "Lö-1 🔌", 0);
    assert_eq!(store.mirror_write(new(row.clone())).await.unwrap(), KEPT);
    let found = store
        .mirror_get("locations", "DE/ABC", &row.object_key)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, row);
    assert!(found.body == row.body && !format!("{found:?}").contains("L"));
    assert_eq!(
        store.mirror_find("locations", &row.object_key, 9).await.unwrap(),
        std::slice::from_ref(&row)
    );
    assert_eq!(
        store.mirror_get("tariffs", "DE/ABC", &row.object_key).await.unwrap(),
        None
    );
    assert_eq!(
        store.mirror_write(new(object("DE/ABC", "Lö-1 🔌", 0))).await.unwrap(),
        Written::Overtaken
    );
}

async fn an_object_changes_only_from_the_revision_that_was_read(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let row = object("DE/ABC", "L1", 0);
    one.mirror_write(new(row.clone())).await.unwrap();
    let writes = (0..20).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        let mut write = next(&row, |row| row.body = format!("{{\"id\":\"{n}\"}}"));
        write.copy = Some(copy("first", 60));
        tokio::spawn(async move { store.mirror_write(write).await.unwrap() })
    });
    let outcomes: Vec<Written> = join_all(writes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == KEPT).count(), 1);
    assert_eq!(
        one.mirror_get("locations", "DE/ABC", "L1")
            .await
            .unwrap()
            .unwrap()
            .revision,
        2
    );
    assert_eq!(
        one.copies_count().await.unwrap(),
        1,
        "what was overtaken is not carried either"
    );
    // Twenty first states at once are one too.
    let firsts = (0..20).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { store.mirror_write(new(object("DE/ABC", "L2", n))).await.unwrap() })
    });
    let outcomes: Vec<Written> = join_all(firsts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == KEPT).count(), 1);
}

async fn an_object_and_its_copy_are_one_commit(place: &Place) {
    let store = place.store().await;
    let first = MirrorWrite {
        copy: Some(copy("me", 60)),
        ..new(object("DE/ABC", "L1", 0))
    };
    store.mirror_write(first.clone()).await.unwrap();
    // A copy that cannot be written takes its object with it.
    let second = MirrorWrite {
        copy: first.copy.clone(),
        ..new(object("DE/ABC", "L2", 0))
    };
    assert!(matches!(store.mirror_write(second).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.mirror_get("locations", "DE/ABC", "L2").await.unwrap(), None);
    assert_eq!(store.copies_count().await.unwrap(), 1);
}

async fn many_are_written_in_one_commit_each_on_its_own_condition(place: &Place) {
    let store = place.store().await;
    let known = object("DE/ABC", "L1", 0);
    store.mirror_write(new(known.clone())).await.unwrap();
    let writes = vec![
        new(object("DE/ABC", "L1", 1)),
        new(object("DE/ABC", "L2", 1)),
        next(&known, |row| row.last_updated = at(5)),
        next(&known, |row| row.last_updated = at(6)),
    ];
    let outcomes = store.mirror_write_all(writes).await.unwrap();
    assert_eq!(outcomes, [Written::Overtaken, KEPT, KEPT, Written::Overtaken]);
    let keys = vec!["L1".to_owned(), "L2".to_owned(), "L3".to_owned()];
    let mut found = store.mirror_get_all("locations", "DE/ABC", keys).await.unwrap();
    found.sort_by(|one, other| one.object_key.cmp(&other.object_key));
    assert_eq!(
        found.iter().map(|row| row.last_updated).collect::<Vec<_>>(),
        [at(5), at(1)]
    );
    assert_eq!(
        store.mirror_listed("locations", "DE/ABC", "L1", 9).await.unwrap(),
        ["L2"]
    );
}

// TAR-04, TAR-13
async fn what_is_gone_is_in_no_list_and_comes_back_in_its_old_place(place: &Place) {
    let store = place.store().await;
    let rows: Vec<MirrorRow> = ["A", "B", "C"].map(|name| object("DE/ABC", name, 0)).into();
    for row in &rows {
        store.mirror_write(new(row.clone())).await.unwrap();
    }
    let gone = next(&rows[1], |row| row.deleted_at = Some(at(9)));
    assert_eq!(store.mirror_write(gone.clone()).await.unwrap(), KEPT);
    assert_eq!(crawl(&store, &of(&["DE/ABC"]), 9).await, [["A", "C"]]);
    assert_eq!(store.mirror_count(of(&["DE/ABC"])).await.unwrap(), 2);
    assert!(store.mirror_find("locations", "B", 9).await.unwrap().is_empty());
    assert_eq!(
        store.mirror_listed("locations", "DE/ABC", "", 9).await.unwrap(),
        ["A", "C"]
    );
    let kept = store.mirror_get("locations", "DE/ABC", "B").await.unwrap().unwrap();
    assert_eq!((kept.deleted_at, kept.revision), (Some(at(9)), 2));
    store
        .mirror_write(next(&kept, |row| row.deleted_at = None))
        .await
        .unwrap();
    assert_eq!(crawl(&store, &of(&["DE/ABC"]), 9).await, [["A", "B", "C"]]);
}

// TOK-16, R-80
async fn an_object_is_found_at_every_owner_that_has_one(place: &Place) {
    let store = place.store().await;
    for owner in ["NL/TWO", "DE/ONE", "NL/TRE"] {
        store.mirror_write(new(object(owner, "L1", 0))).await.unwrap();
    }
    store.mirror_write(new(object("DE/ONE", "L2", 0))).await.unwrap();
    let owners = |rows: Vec<MirrorRow>| rows.into_iter().map(|row| row.owner_key).collect::<Vec<_>>();
    assert_eq!(
        owners(store.mirror_find("locations", "L1", 9).await.unwrap()),
        ["DE/ONE", "NL/TRE", "NL/TWO"]
    );
    assert_eq!(
        owners(store.mirror_find("locations", "L1", 2).await.unwrap()),
        ["DE/ONE", "NL/TRE"]
    );
}

// P-03, P-05, P-06, P-08, P-09
async fn pages_are_in_the_order_of_creation_however_they_are_looked_for(place: &Place) {
    let store = place.store().await;
    let owners: Vec<String> = (0..12).map(|n| format!("DE/O{n:02}")).collect();
    let mut all = Vec::new();
    for n in 0..60 {
        let owner = &owners[n * 7 % 12];
        let row = object(owner, &format!("L{n:02}"), i64::try_from(60 - n).unwrap());
        all.push((owner.clone(), row.object_id.clone()));
        store.mirror_write(new(row)).await.unwrap();
    }
    let ways: [Vec<&str>; 3] = [
        vec!["DE/O00"],
        owners[..3].iter().map(String::as_str).collect(),
        owners[..11].iter().map(String::as_str).collect(),
    ];
    for shelves in ways {
        let expected: Vec<&String> = all
            .iter()
            .filter(|(owner, _)| shelves.contains(&owner.as_str()))
            .map(|(_, name)| name)
            .collect();
        for from in [None, Some(at(0))] {
            let filter = last_updated_of(&of(&shelves), from, None);
            assert_eq!(store.mirror_count(filter.clone()).await.unwrap(), expected.len() as u64);
            for limit in [1, 4, 100] {
                let pages = crawl(&store, &filter, limit).await;
                assert!(
                    pages
                        .iter()
                        .all(|page| !page.is_empty() && page.len() <= limit as usize)
                );
                assert_eq!(pages.concat().iter().collect::<Vec<_>>(), expected, "{limit} {from:?}");
            }
            let offset = MirrorPlace::Offset(3);
            let page = store
                .mirror_page(filter.clone(), offset, of_any_weight(4), expected.len() as u64)
                .await
                .unwrap();
            assert_eq!(
                names(&page),
                expected
                    .iter()
                    .skip(3)
                    .take(4)
                    .map(|name| (*name).clone())
                    .collect::<Vec<_>>()
            );
            let end = MirrorPlace::Offset(1000);
            let page = store
                .mirror_page(filter, end, of_any_weight(4), expected.len() as u64)
                .await
                .unwrap();
            assert!(page.items.is_empty() && page.next.is_none());
        }
    }
    assert!(crawl(&store, &of(&[]), 4).await.concat().is_empty());
    assert_eq!(store.mirror_count(of(&[])).await.unwrap(), 0);
}

// P-02
async fn dates_are_inclusive_and_exclusive_to_the_microsecond(place: &Place) {
    let store = place.store().await;
    let micro = TimeDelta::microseconds(1);
    for (name, updated) in [("before", at(10) - micro), ("at", at(10)), ("after", at(10) + micro)] {
        let mut row = object("DE/ABC", name, 0);
        row.last_updated = updated;
        store.mirror_write(new(row)).await.unwrap();
    }
    let all = of(&["DE/ABC"]);
    for (from, to, expected) in [
        (Some(at(10)), None, vec!["at", "after"]),
        (None, Some(at(10)), vec!["before"]),
        (Some(at(10)), Some(at(10) + micro), vec!["at"]),
        (Some(at(10) + micro), Some(at(10) + micro), vec![]),
    ] {
        let filter = last_updated_of(&all, from, to);
        assert_eq!(store.mirror_count(filter.clone()).await.unwrap(), expected.len() as u64);
        assert_eq!(crawl(&store, &filter, 5).await.concat(), expected, "{from:?} {to:?}");
    }
}

// P-04, P-08
async fn a_page_is_a_fixed_range_whatever_comes_and_goes(place: &Place) {
    let store = place.store().await;
    let rows: Vec<MirrorRow> = (0..9).map(|n| object("DE/ABC", &n.to_string(), 0)).collect();
    for row in &rows {
        store.mirror_write(new(row.clone())).await.unwrap();
    }
    let all = of(&["DE/ABC"]);
    let first = store
        .mirror_page(all.clone(), MirrorPlace::Offset(0), of_any_weight(3), 9)
        .await
        .unwrap();
    let second = first.next.unwrap();
    let page = store
        .mirror_page(all.clone(), second.clone(), of_any_weight(3), 9)
        .await
        .unwrap();
    assert_eq!(names(&page), ["3", "4", "5"]);
    for gone in [&rows[0], &rows[4]] {
        store
            .mirror_write(next(gone, |row| row.deleted_at = Some(at(1))))
            .await
            .unwrap();
    }
    store
        .mirror_write(next(&rows[3], |row| row.last_updated = at(500)))
        .await
        .unwrap();
    for n in 9..20 {
        store
            .mirror_write(new(object("DE/ABC", &n.to_string(), 0)))
            .await
            .unwrap();
    }
    let again = store
        .mirror_page(all.clone(), second, of_any_weight(3), 9)
        .await
        .unwrap();
    assert_eq!(names(&again), ["3", "5"]);
    let third = store
        .mirror_page(all, again.next.unwrap(), of_any_weight(3), 9)
        .await
        .unwrap();
    assert_eq!(names(&third), ["6", "7", "8"]);
    assert!(third.next.is_some(), "what came to be known meanwhile follows");
}

// P-03, P-05, P-08
async fn a_page_is_bounded_by_weight_too_and_its_url_gives_the_same_page(place: &Place) {
    let store = place.store().await;
    let mut rows = Vec::new();
    for n in 0..12 {
        let mut row = object("DE/ABC", &format!("L{n:02}"), 0);
        // Octets, not characters: two each.
        let filling = if n == 5 { 90 } else { 20 };
        row.body = format!("{{\"id\":\"L{n:02}\",\"x\":\"{}\"}}", "é".repeat(filling));
        store.mirror_write(new(row.clone())).await.unwrap();
        rows.push(row);
    }
    let all = of(&["DE/ABC"]);
    let size = PageSize {
        objects: 4,
        octets: 130,
    };
    let (mut pages, mut at_place) = (Vec::new(), Some(MirrorPlace::Offset(0)));
    while let Some(here) = at_place {
        let page = store.mirror_page(all.clone(), here.clone(), size, 12).await.unwrap();
        let again = store.mirror_page(all.clone(), here.clone(), size, 12).await.unwrap();
        assert!(page == again);
        at_place = page.next.clone();
        pages.push((here, page));
    }
    let shown: Vec<Vec<String>> = pages.iter().map(|(_, page)| names(page)).collect();
    let lengths: Vec<usize> = shown.iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 2, 1, 1, 2, 2, 2], "{shown:?}");
    assert_eq!(
        shown.concat(),
        rows.iter().map(|row| row.object_id.clone()).collect::<Vec<_>>()
    );
    assert!(
        pages[0].1.is_cut && pages[1..].iter().all(|(_, page)| !page.is_cut),
        "the end of the others is known beforehand"
    );
    // Lighter objects do not make a page longer than its range, heavier ones make it shorter, and the rest follows.
    let (here, before) = &pages[4];
    let lighter = next(&rows[6], |row| row.body = "{\"id\":\"L06\"}".to_owned());
    store.mirror_write(lighter).await.unwrap();
    let page = store.mirror_page(all.clone(), here.clone(), size, 12).await.unwrap();
    assert_eq!((names(&page), page.next), (names(before), before.next.clone()));
    let heavier = next(&rows[7], |row| row.body = rows[5].body.replace("L05", "L07"));
    store.mirror_write(heavier).await.unwrap();
    let page = store.mirror_page(all.clone(), here.clone(), size, 12).await.unwrap();
    assert_eq!((names(&page), page.is_cut), (vec!["L06".to_owned()], true));
    let rest = store.mirror_page(all, page.next.unwrap(), size, 12).await.unwrap();
    assert_eq!((names(&rest), rest.next), (vec!["L07".to_owned()], before.next.clone()));
}

/// "Must show": everything that existed throughout, exactly once.
async fn a_crawl_while_objects_change_misses_nothing_and_repeats_nothing(place: &Place) {
    let store = place.store().await;
    let owners = ["DE/ONE", "NL/TWO", "FR/TRE"];
    let mut stays = HashSet::new();
    let mut rows = Vec::new();
    for n in 0..600 {
        let row = object(owners[n % 3], &format!("L{n}"), 0);
        rows.push(row.clone());
        if n % 10 != 0 {
            stays.insert(row.object_id.clone());
        }
    }
    for some in rows.chunks(100) {
        store
            .mirror_write_all(some.iter().cloned().map(new).collect())
            .await
            .unwrap();
    }
    let changing = {
        let (store, rows) = (store.clone(), rows.clone());
        tokio::spawn(async move {
            for (n, row) in rows.iter().enumerate().rev() {
                let write = if n % 10 == 0 {
                    next(row, |row| row.deleted_at = Some(at(9)))
                } else {
                    next(row, |row| row.last_updated = at(i64::try_from(n).unwrap()))
                };
                assert_eq!(store.mirror_write(write).await.unwrap(), KEPT);
                store
                    .mirror_write(new(object("DE/ONE", &format!("N{n}"), 0)))
                    .await
                    .unwrap();
            }
        })
    };
    let seen = crawl(&store, &of(&owners), 7).await.concat();
    changing.await.unwrap();
    let once: HashSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len());
    assert!(stays.iter().all(|name| once.contains(name)));
}

/// One copy per broadcast; at least once, in order.
async fn a_copy_left_behind_is_taken_over_by_one_process_when_its_lease_ends(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let row = object("DE/ABC", "L1", 0);
    let first = MirrorWrite {
        copy: Some(copy("dead", 30)),
        ..new(row.clone())
    };
    let mut second = next(&row, |_| {});
    second.copy = Some(copy("dead", 30));
    one.mirror_write(first.clone()).await.unwrap();
    one.mirror_write(second.clone()).await.unwrap();
    assert!(one.copies_take_over("a", at(29), at(90), 10).await.unwrap().is_empty());
    let all = vec![first.copy.clone().unwrap().id, second.copy.clone().unwrap().id];
    assert_eq!(one.copies_renew("dead", all, at(60)).await.unwrap().len(), 2);
    assert!(one.copies_take_over("a", at(31), at(90), 10).await.unwrap().is_empty());
    let (a, b) = tokio::join!(
        one.copies_take_over("a", at(60), at(90), 10),
        other.copies_take_over("b", at(60), at(90), 10)
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    let mut all: Vec<&CopyRow> = a.iter().chain(&b).collect();
    all.sort_by_key(|copy| copy.revision);
    assert_eq!(all.iter().map(|copy| copy.revision).collect::<Vec<_>>(), [1, 2]);
    let taken = &all[0].copy;
    let sent = first.copy.unwrap();
    assert_eq!(
        (&taken.id, &taken.tail, &taken.query, &taken.body),
        (&sent.id, &sent.tail, &sent.query, &sent.body)
    );
    assert!(one.copies_take_over("c", at(60), at(120), 10).await.unwrap().is_empty());
    for copy in a.iter().chain(&b) {
        one.copy_end(&copy.copy.id).await.unwrap();
    }
    assert_eq!(other.copies_count().await.unwrap(), 0);
}

// D-16
async fn leases_are_renewed_by_name_and_an_orphan_of_a_living_process_runs_out(place: &Place) {
    let store = place.store().await;
    let mut row = object("DE/ABC", "L1", 0);
    let mut ids = Vec::new();
    for revision in 1..=3 {
        let copy = copy("a", 30);
        ids.push(copy.id.clone());
        let mut write = match revision {
            1 => new(row.clone()),
            _ => next(&row, |_| {}),
        };
        write.copy = Some(copy);
        row = write.row.clone();
        store.mirror_write(write).await.unwrap();
    }
    let renewed = store.copies_renew("b", ids.clone(), at(60)).await.unwrap();
    assert!(renewed.is_empty(), "not its own");
    let renewed = store.copies_renew("a", ids[2..].to_vec(), at(60)).await.unwrap();
    assert_eq!(renewed, ids[2..]);
    // Its own process may be the one that looks.
    let taken = store.copies_take_over("a", at(30), at(90), 1).await.unwrap();
    assert_eq!(taken.iter().map(|copy| &copy.copy.id).collect::<Vec<_>>(), [&ids[0]]);
    let taken = store.copies_take_over("b", at(30), at(90), 9).await.unwrap();
    assert_eq!(taken.iter().map(|copy| &copy.copy.id).collect::<Vec<_>>(), [&ids[1]]);
    assert_eq!(
        store.copies_renew("a", ids.clone(), at(95)).await.unwrap().len(),
        2,
        "one is gone"
    );
    store.copies_give_away("a").await.unwrap();
    assert!(
        store.copies_before("locations", "DE/ABC", "L1", 2, "a").await.unwrap(),
        "nobody's is not one's own"
    );
    let taken = store.copies_take_over("c", at(31), at(90), 9).await.unwrap();
    assert_eq!(taken.iter().map(|copy| copy.revision).collect::<Vec<_>>(), [1, 3]);
    let all = store.copies_of("locations", "DE/ABC", "L1").await.unwrap();
    let whose: Vec<(i64, &str)> = all
        .iter()
        .map(|copy| (copy.revision, copy.copy.lease_owner.as_str()))
        .collect();
    assert_eq!(whose, [(1, "c"), (2, "b"), (3, "c")]);
}

/// Ids are made before the commit that decides who is first.
async fn copies_of_an_object_are_taken_over_in_the_order_of_their_commits(place: &Place) {
    let store = place.store().await;
    let (early, late) = (copy("dead", 30), copy("dead", 20));
    let row = object("DE/ABC", "L1", 0);
    let first = MirrorWrite {
        copy: Some(late),
        ..new(row.clone())
    };
    store.mirror_write(first).await.unwrap();
    let mut second = next(&row, |_| {});
    second.copy = Some(early);
    store.mirror_write(second).await.unwrap();
    let taken = store.copies_take_over("a", at(60), at(90), 9).await.unwrap();
    assert_eq!(taken.iter().map(|copy| copy.revision).collect::<Vec<_>>(), [1, 2]);
}

// D-16
async fn a_copy_knows_of_an_earlier_one_of_its_object_in_another_process(place: &Place) {
    let store = place.store().await;
    let row = object("DE/ABC", "L1", 0);
    let first = copy("a", 60);
    store
        .mirror_write(MirrorWrite {
            copy: Some(first.clone()),
            ..new(row.clone())
        })
        .await
        .unwrap();
    let mut second = next(&row, |_| {});
    second.copy = Some(copy("b", 60));
    let mut third = next(&second.row, |_| {});
    third.copy = Some(copy("a", 60));
    assert_eq!(
        store.mirror_write(second).await.unwrap(),
        Written::Kept { behind: true }
    );
    assert_eq!(store.mirror_write(third).await.unwrap(), Written::Kept { behind: true });
    let before = |revision, owner: &'static str| {
        let store = store.clone();
        async move {
            store
                .copies_before("locations", "DE/ABC", "L1", revision, owner)
                .await
                .unwrap()
        }
    };
    assert!(before(2, "b").await && before(3, "a").await && !before(1, "a").await);
    store.copy_end(&first.id).await.unwrap();
    assert!(!before(2, "b").await && before(3, "a").await);
}

// N-02
async fn what_is_due_is_pulled_by_one_process_and_remembered(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let key = PullKey {
        platform_id: "p".to_owned(),
        module: "tokens".to_owned(),
        party_key: "DE/MSP".to_owned(),
    };
    let (a, b) = tokio::join!(
        one.pull_begin(key.clone(), "a", at(0), at(60)),
        other.pull_begin(key.clone(), "b", at(0), at(60))
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.iter().chain(&b).count(), 1);
    let owner = if a.is_some() { "a" } else { "b" };
    assert_eq!(a.or(b).unwrap().date_from, None);
    assert!(one.pull_renew(key.clone(), owner, at(70)).await.unwrap());
    assert!(
        one.pull_begin(key.clone(), "c", at(65), at(100))
            .await
            .unwrap()
            .is_none()
    );
    let end = PullEnd {
        url: "https://x/tokens?a=b".to_owned(),
        date_from: Some(at(-5)),
        failures: 0,
        due_at: at(1000),
        outcome: "12 objects".to_owned(),
        ended_at: at(66),
    };
    assert!(!one.pull_end(key.clone(), "c", end.clone()).await.unwrap());
    assert!(one.pull_end(key.clone(), owner, end.clone()).await.unwrap());
    assert!(
        one.pull_begin(key.clone(), "c", at(999), at(1100))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(one.pulls_due("p", at(500)).await.unwrap(), 1);
    assert_eq!(one.pulls_due("p", at(500)).await.unwrap(), 0);
    let again = other
        .pull_begin(key.clone(), "c", at(500), at(600))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.date_from, again.url.as_str(), again.ended_at),
        (end.date_from, end.url.as_str(), Some(at(66)))
    );
    // Whoever died while pulling is followed by somebody else.
    assert!(
        one.pull_begin(key.clone(), "d", at(600), at(700))
            .await
            .unwrap()
            .is_some()
    );
    assert!(!one.pull_end(key.clone(), "c", end).await.unwrap());
    assert_eq!(one.pull_get(key).await.unwrap().unwrap().due_at, at(500));
}

promises! {
    an_object_is_kept_as_it_was_spelled_and_found_in_any_case,
    an_object_changes_only_from_the_revision_that_was_read,
    an_object_and_its_copy_are_one_commit,
    many_are_written_in_one_commit_each_on_its_own_condition,
    what_is_gone_is_in_no_list_and_comes_back_in_its_old_place,
    an_object_is_found_at_every_owner_that_has_one,
    pages_are_in_the_order_of_creation_however_they_are_looked_for,
    dates_are_inclusive_and_exclusive_to_the_microsecond,
    a_page_is_a_fixed_range_whatever_comes_and_goes,
    a_crawl_while_objects_change_misses_nothing_and_repeats_nothing,
    a_copy_left_behind_is_taken_over_by_one_process_when_its_lease_ends,
    a_page_is_bounded_by_weight_too_and_its_url_gives_the_same_page,
    leases_are_renewed_by_name_and_an_orphan_of_a_living_process_runs_out,
    copies_of_an_object_are_taken_over_in_the_order_of_their_commits,
    a_copy_knows_of_an_earlier_one_of_its_object_in_another_process,
    what_is_due_is_pulled_by_one_process_and_remembered,
}
