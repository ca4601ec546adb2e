//! `kill -9`, again and again: what was answered with 1000 is delivered, and nothing is stored twice (design.md, promise 2).
//!
//! The hub dies at a random instant, or exactly before or after the receiver answers: there the receiver pulls the trigger. Eight
//! deaths per database, fifty with `TRUEWATT_LONG=1`, all on the same data. After each, the operator of the charge points does
//! what a real one does: it repeats every post that got no answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use truewatt::sandbox::cpo::SandboxCpo;
use truewatt::sandbox::{CdrDraft, Moment, Reply, SandboxEmsp};

use crate::world::{Database, Hub, charge, long, random_below};

on_both_databases!(what_was_answered_survives_every_death_and_nothing_is_stored_twice);

/// Posts at the same time.
const HANDS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    AtRandom,
    JustBefore,
    JustAfter,
}

async fn what_was_answered_survives_every_death_and_nothing_is_stored_twice(database: Database) {
    let hub = Hub::start_with(&database, &[("paging.max_limit", "1000")]).await;
    let cpo = Arc::new(hub.cpo("DE/ABC").await);
    let emsp = hub.emsp("DE/EMS").await;
    let deaths = if long() { 50 } else { 8 };
    let mut posted = HashMap::new();

    for round in 0..deaths {
        let death = [Death::AtRandom, Death::JustBefore, Death::JustAfter][round % 3];
        let (batch, answered) = post_until_death(&hub, &cpo, &emsp, round, death).await;
        assert!(!hub.runs(), "round {round}: the hub was to be dead");

        hub.restart().await;
        let answered = repeat_unanswered(&cpo, &batch, answered).await;
        for draft in batch {
            assert!(answered.contains_key(&draft.id));
            posted.insert(draft.id.clone(), draft);
        }
        everything_answered_is_delivered(&hub, &emsp, &posted, (round, death)).await;
        nothing_is_stored_twice(&hub, &emsp, &posted, (round, death)).await;
    }
}

/// Posts from several hands, one CDR after the other, until the hub is dead. What was posted, and the answers that arrived.
async fn post_until_death(
    hub: &Hub,
    cpo: &Arc<SandboxCpo>,
    emsp: &SandboxEmsp,
    round: usize,
    death: Death,
) -> (Vec<CdrDraft>, HashMap<String, Reply>) {
    let kill = hub.killer();
    if death != Death::AtRandom {
        let moment = if death == Death::JustBefore {
            Moment::BeforeAnswer
        } else {
            Moment::AfterAnswer
        };
        let countdown = AtomicUsize::new(1 + usize::try_from(random_below(40)).unwrap());
        let kill = Arc::clone(&kill);
        emsp.platform.tell(Some(Arc::new(move |now, _| {
            if now == moment && countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
                kill();
            }
        })));
    }

    let number = Arc::new(AtomicUsize::new(0));
    let hands: Vec<_> = (0..HANDS)
        .map(|_| {
            let (cpo, payer, number) = (Arc::clone(cpo), emsp.party.clone(), Arc::clone(&number));
            tokio::spawn(async move {
                let (mut posted, mut answers) = (Vec::new(), Vec::new());
                loop {
                    let number = number.fetch_add(1, Ordering::SeqCst);
                    let watt_hours = 10_000 + i64::try_from(number).unwrap();
                    let draft = cpo.cdr(&format!("C-{round}-{number}"), &payer, &charge(watt_hours));
                    posted.push(draft.clone());
                    match cpo.post_cdr(&draft).await {
                        Ok(reply) => answers.push((draft.id, reply)),
                        // The hub is dead, or died over this one.
                        Err(_) => return (posted, answers),
                    }
                }
            })
        })
        .collect();

    if death == Death::AtRandom {
        tokio::time::sleep(Duration::from_micros(random_below(400_000))).await;
        kill();
    }
    let (mut posted, mut answered) = (Vec::new(), HashMap::new());
    for hand in hands {
        let (by_hand, answers) = hand.await.unwrap();
        posted.extend(by_hand);
        answered.extend(answers);
    }
    emsp.platform.tell(None);
    assert!(
        answered.values().all(Reply::accepted),
        "before its death the hub refused something: {answered:?}"
    );
    (posted, answered)
}

/// What a real operator does: it posts again whatever had no answer. An answered one is repeated too: it must say the same.
async fn repeat_unanswered(
    cpo: &Arc<SandboxCpo>,
    batch: &[CdrDraft],
    mut answered: HashMap<String, Reply>,
) -> HashMap<String, Reply> {
    let repeats: Vec<_> = batch
        .iter()
        .cloned()
        .map(|draft| {
            let cpo = Arc::clone(cpo);
            tokio::spawn(async move {
                let again = cpo.post_cdr(&draft).await.unwrap();
                (draft.id, again)
            })
        })
        .collect();
    for repeat in repeats {
        let (id, again) = repeat.await.unwrap();
        assert!(again.accepted(), "{id} after the restart: {again:?}");
        if let Some(before) = answered.insert(id.clone(), again.clone()) {
            let (before, again) = (before.header("location"), again.header("location"));
            assert_eq!(before, again, "{id}: one CDR, one Location (CDR-11)");
        }
    }
    answered
}

async fn everything_answered_is_delivered(
    hub: &Hub,
    emsp: &SandboxEmsp,
    posted: &HashMap<String, CdrDraft>,
    when: (usize, Death),
) {
    let all_there = emsp
        .platform
        .wait_for_cdrs(Duration::from_secs(30), |got| {
            let ids: HashSet<_> = got.iter().filter_map(truewatt::sandbox::Got::object_id).collect();
            posted.keys().all(|id| ids.contains(id))
        })
        .await;
    assert!(
        all_there,
        "{when:?}: not every CDR that was answered reached its receiver; the hub said:\n{}",
        hub.said()
    );
    for got in emsp.platform.got_cdrs() {
        let id = got.object_id().unwrap();
        assert_eq!(got.text(), posted[&id].json(), "{id} arrived with other octets");
    }
}

async fn nothing_is_stored_twice(
    hub: &Hub,
    emsp: &SandboxEmsp,
    posted: &HashMap<String, CdrDraft>,
    when: (usize, Death),
) {
    let started = Instant::now();
    let kept = loop {
        let items = hub.cdrs().await;
        let open: Vec<_> = items.iter().filter(|item| item["delivery"] != "delivered").collect();
        if open.is_empty() {
            break items;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{when:?}: still not delivered: {open:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let kept: Vec<String> = kept
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    let listed: Vec<String> = emsp
        .pull("")
        .await
        .unwrap()
        .objects
        .iter()
        .map(|object| {
            serde_json::from_str::<serde_json::Value>(object).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for (who, ids) in [("the operator's list", kept), ("the provider's list", listed)] {
        let once: HashSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "{when:?}: {who} has a CDR twice");
        assert_eq!(
            once,
            posted.keys().collect(),
            "{when:?}: {who} has other CDRs than were posted"
        );
    }
}
