//! The reckoning: what was answered, kept, delivered and told, against each other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use truewatt::sandbox::cpo::SandboxCpo;
use truewatt::sandbox::{Door, Got, SandboxEmsp};

use crate::faults::tell;
use crate::world::Hub;

/// Something that went wrong on purpose.
pub struct Trouble {
    pub kind: &'static str,
    pub from: Instant,
    pub to: Instant,
}

/// An attempt that was made so long before a trouble may not have been written down because of it: a receiver's two seconds, and what
/// the hub takes to write.
const IN_FLIGHT: Duration = Duration::from_secs(4);

/// After all is well again, everything that is owed has been delivered within this. A lease of a dead process's broadcasts is half a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

pub struct Books<'a> {
    pub hubs: &'a [Arc<Hub>],
    pub cpo: &'a SandboxCpo,
    pub emsps: &'a [Arc<SandboxEmsp>],
    /// Every CDR that was answered with 1000: for whom, and its octets.
    pub posted: &'a HashMap<String, (usize, String)>,
    pub troubles: Vec<Trouble>,
}

impl Books<'_> {
    pub fn summary(&self) -> String {
        let of = |kind| self.troubles.iter().filter(|trouble| trouble.kind == kind).count();
        format!(
            "{} deaths of {} processes, {} times the database",
            of("death"),
            self.hubs.len(),
            of("database")
        )
    }

    pub async fn everything_is_delivered(&self) {
        let started = Instant::now();
        loop {
            let owed = self.hubs[0].operator_ok("GET", "/overview", None).await;
            if owed["duties"]["owed"] == 0 {
                return;
            }
            assert!(
                started.elapsed() < SETTLED_WITHIN,
                "still owed: {owed} {}; the hub said:\n{}",
                self.hubs[0].operator_ok("GET", "/duties?limit=10", None).await,
                self.hubs[0].said()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// One more state of each object: it stands behind everything that is still on its way.
    pub async fn every_object_ends_with_its_last_state(&self, objects: &[&str], revision: usize) {
        for object in objects {
            tell(self.cpo, object, revision).await;
        }
        for emsp in self.emsps {
            let last = |got: &[Got]| {
                objects
                    .iter()
                    .all(|object| states(got, object).last() == Some(&revision))
            };
            assert!(
                emsp.platform.wait_for("locations", SETTLED_WITHIN, last).await,
                "{} does not end with the last state: {:?}",
                emsp.party,
                objects
                    .iter()
                    .map(|object| states(&emsp.platform.got_for("locations"), object).last().copied())
                    .collect::<Vec<_>>()
            );
        }
    }

    pub async fn everything_is_stored_once_and_every_duplicate_is_explained(&self) -> String {
        let kept = self.hubs[self.hubs.len() - 1].cdrs().await;
        let mut ids = HashSet::new();
        for cdr in &kept {
            let id = cdr["id"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is kept twice");
            assert_eq!(
                (&cdr["delivery"], &cdr["metering_status"]),
                (&json!("delivered"), &json!("VERIFIED")),
                "{cdr}"
            );
        }
        assert_eq!(
            ids,
            self.posted.keys().cloned().collect(),
            "what is kept is not what was answered"
        );

        // An attempt may take longer than its lease, on a machine that crawls; whoever came too late to write it down says so.
        let said: String = self.hubs.iter().map(|hub| hub.said()).collect();
        let too_late = "the duty was settled by somebody else meanwhile";
        let late: Vec<&str> = said.lines().filter(|line| line.contains(too_late)).collect();
        let (mut receptions, mut broken, mut in_flight, mut outlived) = (0, 0, 0, 0);
        for (number, emsp) in self.emsps.iter().enumerate() {
            let owed: HashMap<&str, &str> = self
                .posted
                .iter()
                .filter(|(_, (to, _))| *to == number)
                .map(|(id, (_, body))| (id.as_str(), body.as_str()))
                .collect();
            let listed: Vec<String> = emsp
                .pull("limit=1000")
                .await
                .unwrap()
                .objects
                .iter()
                .map(|object| {
                    serde_json::from_str::<Value>(object).unwrap()["id"]
                        .as_str()
                        .unwrap()
                        .to_owned()
                })
                .collect();
            assert_eq!(
                listed.len(),
                owed.len(),
                "{} lists another number of CDRs than it was sent",
                emsp.party
            );
            assert!(listed.iter().all(|id| owed.contains_key(id.as_str())));

            let mut arrivals: HashMap<String, Vec<Got>> = HashMap::new();
            for got in emsp.platform.got_cdrs() {
                arrivals.entry(got.object_id().unwrap()).or_default().push(got);
            }
            for (id, body) in &owed {
                let got = arrivals
                    .get(*id)
                    .unwrap_or_else(|| panic!("{id} was answered with 1000 and never arrived"));
                let taken: Vec<&Got> = got
                    .iter()
                    .filter(|one| one.refused.is_none() && matches!(one.answered, 200 | 201))
                    .collect();
                assert!(!taken.is_empty(), "{id} was answered with 1000 and never taken");
                assert!(
                    taken.iter().all(|one| one.text() == **body),
                    "{id} arrived with other octets"
                );
                receptions += got.len();
                if taken.len() > 1 {
                    let (half, lost, over) = self.explained(id, &taken).await;
                    let named = late.iter().filter(|line| names(line, id)).count();
                    assert!(
                        over <= named,
                        "{id} was taken {} times, and nothing says why",
                        taken.len()
                    );
                    (broken, in_flight, outlived) = (broken + half, in_flight + lost, outlived + over);
                }
            }
            assert_eq!(arrivals.len(), owed.len(), "{} got CDRs of somebody else", emsp.party);
        }
        format!(
            "{receptions} times a receiver was asked, {} duplicates: {broken} after an answer that could not be read, {in_flight} after one that nobody could write down any more, {outlived} after a lease",
            broken + in_flight + outlived
        )
    }

    /// Why a CDR was taken more than once: its answer did not arrive whole, and the hub says so; or it arrived, and whoever heard it
    /// died or had no database to write it to.
    async fn explained(&self, id: &str, taken: &[&Got]) -> (usize, usize, usize) {
        let cdr = self.hubs[0].cdr(&self.cpo.party, id).await;
        let attempts = cdr["attempts"].as_array().unwrap();
        let delivered = attempts
            .iter()
            .filter(|attempt| attempt["outcome"] == "delivered")
            .count();
        assert_eq!(delivered, 1, "{id} was settled {delivered} times: {attempts:?}");
        let unread = attempts.iter().filter(|attempt| {
            let outcome = attempt["outcome"].as_str().unwrap();
            outcome.starts_with("no usable answer")
                || outcome.starts_with("no answer")
                || outcome.contains("no OCPI envelope")
        });
        let lost = taken.iter().filter(|one| {
            self.troubles
                .iter()
                .any(|trouble| one.arrived + IN_FLIGHT > trouble.from && one.arrived < trouble.to)
        });
        let duplicates = taken.len() - 1;
        let (unread, lost) = (unread.count().min(duplicates), lost.count());
        let over = duplicates.saturating_sub(unread + lost);
        (unread, duplicates - unread - over, over)
    }

    pub fn no_receiver_saw_an_older_state_after_a_newer_one(&self, objects: &[&str]) -> usize {
        let mut told = 0;
        for emsp in self.emsps {
            let got = emsp.platform.got_for("locations");
            for object in objects {
                let states = states(&got, object);
                assert!(states.is_sorted(), "{} saw {object} go back: {states:?}", emsp.party);
                told += states.len();
            }
        }
        told
    }
}

/// Whether a line of the log is about this CDR.
fn names(line: &str, id: &str) -> bool {
    line.split_whitespace()
        .any(|word| word.strip_prefix("cdr=") == Some(id))
}

/// The revisions of an object in the order in which they arrived.
fn states(got: &[Got], object: &str) -> Vec<usize> {
    let mut of_it: Vec<&Got> = got
        .iter()
        .filter(|one| one.door == Some(Door::Receiver("locations")) && one.method == "PUT")
        .collect();
    of_it.sort_by_key(|one| one.arrived);
    let mut revisions = Vec::new();
    for one in of_it {
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        if body["id"] == object {
            let name = body["name"].as_str().unwrap();
            revisions.push(name.strip_prefix("revision ").unwrap().parse().unwrap());
        }
    }
    revisions
}
