//! Who is next: per platform a line per object, one leg of an object at a time, a few objects at once. Pure bookkeeping.
//!
//! A lane that is full, by number or by weight, lets go of its oldest leg that a later one has made superfluous, or, where there is none, of its
//! oldest (D-16): memory is bounded, and who is that slow catches up by asking.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Carried;
use super::again::{first_to_go, supersedes};
use crate::delivery::order::{Object, Ticket};
use crate::ocpi::ids::{PartyId, PlatformId};

/// Legs of one platform under way at once: enough for a healthy receiver over a slow line.
const WIDTH: usize = 8;
/// Legs that wait for one object at one platform.
const PER_OBJECT: usize = 32;
/// Legs that wait for one platform.
const PER_PLATFORM: usize = 5_000;
/// Octets that wait for one platform, a body shared with other lanes counted in full. One body of the largest size that is taken always fits,
/// and so do [`PER_PLATFORM`] of the usual 2.5 kB. Lanes mostly share their bodies, so many stalled platforms cost little more than one.
const OCTETS: usize = 16 * 1024 * 1024;
/// What a leg takes beside its body, its ticket and its names included.
const ENTRY: usize = 512;

/// One copy for one party.
pub(super) struct Leg {
    pub(super) carried: Arc<Carried>,
    pub(super) platform: PlatformId,
    pub(super) party: PartyId,
    pub(super) object: Object,
    /// Its place among everything else that is said about the object there.
    pub(super) ticket: Ticket,
}

impl Leg {
    fn weight(&self) -> usize {
        ENTRY + self.carried.body.as_ref().map_or(0, bytes::Bytes::len)
    }
}

/// How a leg ended, as far as the next one is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Somebody answered, whatever they said.
    Answered,
    /// It was sent and no answer came in time.
    Unanswered,
    /// It was not sent, or failed at once.
    Quickly,
}

/// The lanes of all platforms.
#[derive(Default)]
pub(super) struct Lanes(HashMap<PlatformId, Lane>);

struct Lane {
    /// Legs that wait, by object; an object with none is not here.
    waiting: HashMap<Object, VecDeque<Leg>>,
    /// Objects with a leg that may go.
    ready: VecDeque<Object>,
    /// Objects with a leg under way.
    under_way: HashSet<Object>,
    count: usize,
    octets: usize,
    width: usize,
}

impl Lanes {
    /// Lines a leg up. What had to be let go for it is returned.
    pub(super) fn add(&mut self, leg: Leg) -> Vec<Leg> {
        let lane = self.0.entry(leg.platform.clone()).or_insert_with(Lane::new);
        let object = leg.object.clone();
        let line = lane.waiting.entry(object.clone()).or_default();
        if line.is_empty() && !lane.under_way.contains(&object) {
            lane.ready.push_back(object.clone());
        }
        lane.octets += leg.weight();
        lane.count += 1;
        line.push_back(leg);
        let mut dropped = Vec::new();
        if line.len() > PER_OBJECT {
            dropped.extend(lane.let_go(&object));
        }
        while lane.count > PER_PLATFORM || lane.octets > OCTETS {
            // The object that has waited longest; where all are under way, the one that came now.
            let oldest = lane.ready.front().cloned().unwrap_or_else(|| object.clone());
            // The one that came now may have had a single leg, and let go of it already.
            let Some(leg) = lane.let_go(&oldest).or_else(|| lane.let_go_of_any()) else {
                break;
            };
            dropped.push(leg);
        }
        dropped
    }

    /// The next leg that may go to this platform; it is under way from here on.
    pub(super) fn next(&mut self, platform: &PlatformId) -> Option<Leg> {
        let lane = self.0.get_mut(platform)?;
        if lane.under_way.len() >= lane.width {
            return None;
        }
        let object = lane.ready.pop_front()?;
        let leg = lane.take(&object, 0)?;
        lane.under_way.insert(object);
        Some(leg)
    }

    /// A leg has ended: the next one of its object may go.
    pub(super) fn ended(&mut self, object: &Object, how: Ended) {
        let Some(lane) = self.0.get_mut(&object.platform) else {
            return;
        };
        lane.under_way.remove(object);
        if lane.waiting.contains_key(object) {
            lane.ready.push_back(object.clone());
        }
        match how {
            Ended::Answered => lane.width = WIDTH,
            Ended::Unanswered => lane.width = 1,
            Ended::Quickly => {}
        }
        if lane.count == 0 && lane.under_way.is_empty() && lane.width == WIDTH {
            self.0.remove(&object.platform);
        }
    }

    /// How many legs are under way, over all platforms.
    pub(super) fn under_way(&self) -> usize {
        self.0.values().map(|lane| lane.under_way.len()).sum()
    }
}

impl Lane {
    fn new() -> Lane {
        Lane {
            waiting: HashMap::new(),
            ready: VecDeque::new(),
            under_way: HashSet::new(),
            count: 0,
            octets: 0,
            width: WIDTH,
        }
    }

    fn let_go(&mut self, object: &Object) -> Option<Leg> {
        let line = self.waiting.get(object)?;
        let place = first_to_go(line, |later, leg| {
            later.party == leg.party && supersedes(&later.carried.row, &leg.carried.row)
        });
        let leg = self.take(object, place);
        if !self.waiting.contains_key(object) {
            self.ready.retain(|ready| ready != object);
        }
        leg
    }

    fn let_go_of_any(&mut self) -> Option<Leg> {
        let object = self.waiting.keys().next().cloned()?;
        self.let_go(&object)
    }

    fn take(&mut self, object: &Object, place: usize) -> Option<Leg> {
        let line = self.waiting.get_mut(object)?;
        let leg = line.remove(place);
        if line.is_empty() {
            self.waiting.remove(object);
        }
        if let Some(leg) = &leg {
            self.count -= 1;
            self.octets -= leg.weight();
        }
        leg
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::LazyLock;
    use std::sync::atomic::AtomicUsize;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::super::again::tests::row;
    use super::super::lease::Leases;
    use super::*;
    use crate::client::Method;
    use crate::delivery::order::Order;

    fn leg(platform: &str, object: &str, method: &str, tail: &str, number: i64) -> Leg {
        let object = Object {
            platform: PlatformId::from(platform),
            module: "locations".into(),
            owner: "DE/ABC".into(),
            object: object.into(),
        };
        let mut row = row(number, method, tail);
        row.copy.body = None;
        row.object_key.clone_from(&object.object);
        Leg {
            carried: Arc::new(Carried {
                module: "locations",
                method: Method::from_bytes(method.as_bytes()).unwrap(),
                body: None,
                lease: Leases::default().begin("", DateTime::UNIX_EPOCH),
                left: AtomicUsize::new(1),
                watched: super::super::catching_up::Watched::default(),
                row,
            }),
            platform: PlatformId::from(platform),
            party: PartyId::from_slash("DE/MSP").unwrap(),
            ticket: Order::default().queue(object.clone()),
            object,
        }
    }

    fn put(platform: &str, object: &str, number: i64) -> Leg {
        leg(platform, object, "PUT", &format!("/DE/ABC/{object}"), number)
    }

    fn number(leg: &Leg) -> i64 {
        leg.carried.row.revision
    }

    fn numbers(legs: &[Leg]) -> Vec<i64> {
        legs.iter().map(number).collect()
    }

    fn weighing(mut leg: Leg, octets: usize) -> Leg {
        Arc::get_mut(&mut leg.carried).unwrap().body = Some(LARGE.slice(..octets));
        leg
    }

    const MIB: usize = 1024 * 1024;
    static LARGE: LazyLock<bytes::Bytes> = LazyLock::new(|| bytes::Bytes::from(vec![0; 10 * MIB]));

    // D-16
    #[test]
    fn an_object_waits_for_itself_and_a_platform_for_nobody_else() {
        let mut lanes = Lanes::default();
        for (object, n) in [("L1", 1), ("L1", 2), ("L2", 3)] {
            assert!(lanes.add(put("slow", object, n)).is_empty());
        }
        lanes.add(put("quick", "L1", 4));
        let (slow, quick) = (PlatformId::from("slow"), PlatformId::from("quick"));
        let first = lanes.next(&slow).unwrap();
        assert_eq!((number(&first), number(&lanes.next(&slow).unwrap())), (1, 3));
        assert!(lanes.next(&slow).is_none());
        assert_eq!(number(&lanes.next(&quick).unwrap()), 4);
        lanes.ended(&first.object, Ended::Answered);
        assert_eq!(number(&lanes.next(&slow).unwrap()), 2);
        assert_eq!(lanes.under_way(), 3);
    }

    //
    #[test]
    fn a_platform_that_did_not_answer_is_spoken_to_one_leg_at_a_time_until_it_does() {
        let mut lanes = Lanes::default();
        let slow = PlatformId::from("slow");
        for n in 0..20 {
            lanes.add(put("slow", &format!("L{n}"), n));
        }
        let mut under_way: Vec<Leg> = std::iter::from_fn(|| lanes.next(&slow)).collect();
        assert_eq!(under_way.len(), WIDTH);
        while let Some(leg) = under_way.pop() {
            lanes.ended(&leg.object, Ended::Unanswered);
        }
        let only = lanes.next(&slow).unwrap();
        assert!(lanes.next(&slow).is_none());
        lanes.ended(&only.object, Ended::Answered);
        assert_eq!(std::iter::from_fn(|| lanes.next(&slow)).count(), WIDTH);
    }

    // D-16
    #[test]
    fn a_full_lane_lets_go_of_the_oldest_that_a_later_one_made_superfluous() {
        let mut lanes = Lanes::default();
        let slow = PlatformId::from("slow");
        let patch = |n| leg("slow", "L1", "PATCH", "/DE/ABC/L1/E1", n);
        lanes.add(leg("slow", "L1", "PATCH", "/DE/ABC/L10", 0));
        for n in 1..=30 {
            assert!(lanes.add(patch(n)).is_empty());
        }
        assert!(lanes.add(put("slow", "L1", 31)).is_empty());
        assert_eq!(
            numbers(&lanes.add(patch(32))),
            [1],
            "said again by the PUT of the whole"
        );
        let mut left = Vec::new();
        while let Some(leg) = lanes.next(&slow) {
            left.push(number(&leg));
            lanes.ended(&leg.object, Ended::Answered);
        }
        assert_eq!(left, [0].into_iter().chain(2..=32).collect::<Vec<_>>());
        for n in 0..40 {
            lanes.add(patch(n));
        }
        assert_eq!(
            number(&lanes.next(&slow).unwrap()),
            8,
            "nothing superfluous: the oldest"
        );
    }

    #[test]
    fn a_platform_that_takes_nothing_costs_bounded_memory() {
        let mut lanes = Lanes::default();
        let let_go = (0..6_000)
            .flat_map(|n| lanes.add(put("slow", &format!("L{n}"), n)))
            .map(|leg| number(&leg));
        assert_eq!(let_go.collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn few_large_bodies_fill_a_lane_as_many_small_ones_do() {
        let mut lanes = Lanes::default();
        let large = |object, n| weighing(put("slow", object, n), 10 * MIB);
        assert!(lanes.add(large("L1", 1)).is_empty());
        assert_eq!(numbers(&lanes.add(large("L2", 2))), [1]);
        assert!(lanes.add(weighing(put("slow", "L3", 3), 5 * MIB)).is_empty());
        assert_eq!(
            numbers(&lanes.add(large("L3", 4))),
            [2],
            "the object that has waited longest"
        );
        // What is under way waits no more.
        let slow = PlatformId::from("slow");
        assert_eq!(number(&lanes.next(&slow).unwrap()), 3);
        assert!(lanes.add(weighing(put("slow", "L4", 5), 5 * MIB)).is_empty());
        assert_eq!(
            numbers(&lanes.add(large("L3", 6))),
            [5, 4],
            "superfluous, once nothing else is ready"
        );
        assert_eq!(lanes.0[&slow].octets, 10 * MIB + ENTRY);
    }

    proptest! {
        #[test]
        fn a_lane_never_weighs_more_than_it_may_and_exactly_what_waits_in_it(
            steps in prop::collection::vec((0_u8..4, 0_u8..6, 0..10 * MIB), 1..200)
        ) {
            let mut lanes = Lanes::default();
            let platform = PlatformId::from("p");
            let (mut added, mut gone) = (0, 0);
            let mut under_way: Vec<Object> = Vec::new();
            for (n, (what, which, octets)) in steps.into_iter().enumerate() {
                match what {
                    0 | 1 => {
                        let leg = weighing(put("p", &format!("L{which}"), i64::try_from(n).unwrap()), octets);
                        added += 1;
                        gone += lanes.add(leg).len();
                    }
                    2 => if let Some(leg) = lanes.next(&platform) {
                        gone += 1;
                        under_way.push(leg.object.clone());
                    },
                    _ => if let Some(object) = under_way.pop() {
                        lanes.ended(&object, Ended::Answered);
                    },
                }
                let Some(lane) = lanes.0.get(&platform) else {
                    prop_assert_eq!(added, gone);
                    continue;
                };
                let weight: usize = lane.waiting.values().flatten().map(Leg::weight).sum();
                prop_assert_eq!((lane.octets, lane.count), (weight, added - gone));
                prop_assert!(lane.octets <= OCTETS);
                // Whoever waits and is not behind one under way may go.
                let may_go = lane.waiting.keys().filter(|object| !lane.under_way.contains(*object)).count();
                prop_assert_eq!(lane.ready.len(), may_go);
            }
        }

        // R-62, D-16
        #[test]
        fn legs_of_an_object_leave_in_order_and_never_two_at_once(steps in prop::collection::vec((0_u8..3, 0_u8..4), 1..200)) {
            let mut lanes = Lanes::default();
            let platform = PlatformId::from("p");
            let mut under_way: Vec<Leg> = Vec::new();
            let mut last: HashMap<String, i64> = HashMap::new();
            for (n, (what, which)) in steps.iter().enumerate() {
                match what {
                    0 => { lanes.add(put("p", &format!("L{which}"), i64::try_from(n).unwrap())); }
                    1 => if let Some(leg) = lanes.next(&platform) {
                        prop_assert!(under_way.iter().all(|other| other.object != leg.object));
                        let before = last.insert(leg.object.object.clone(), number(&leg));
                        prop_assert!(before.is_none_or(|before| before < number(&leg)));
                        under_way.push(leg);
                    },
                    _ => if !under_way.is_empty() {
                        let leg = under_way.remove(usize::from(*which) % under_way.len());
                        lanes.ended(&leg.object, Ended::Answered);
                    },
                }
            }
        }
    }
}
