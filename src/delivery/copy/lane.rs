//! Who is next: per platform a line per object, one leg of an object at a time, a few objects at once. Pure bookkeeping.
//!
//! A lane that is full lets go of its oldest leg that a later one has made superfluous, or, where there is none, of its oldest (D-16):
//! memory is bounded, and who is that slow catches up by asking.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Carried;
use crate::delivery::order::{Object, Ticket};
use crate::ocpi::ids::{PartyId, PlatformId};

/// Legs of one platform under way at once: enough for a healthy receiver over a slow line.
const WIDTH: usize = 8;
/// Legs that wait for one object at one platform.
const PER_OBJECT: usize = 32;
/// Legs that wait for one platform: at some 300 bytes each, and bodies shared, below 2 MB.
const PER_PLATFORM: usize = 5_000;

/// One copy for one party.
pub(super) struct Leg {
    pub(super) carried: Arc<Carried>,
    pub(super) platform: PlatformId,
    pub(super) party: PartyId,
    pub(super) object: Object,
    /// Its place among everything else that is said about the object there.
    pub(super) ticket: Ticket,
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
    width: usize,
}

impl Lanes {
    /// Lines a leg up. What had to be let go for it is returned.
    pub(super) fn add(&mut self, leg: Leg) -> Option<Leg> {
        let lane = self.0.entry(leg.platform.clone()).or_insert_with(Lane::new);
        let object = leg.object.clone();
        let line = lane.waiting.entry(object.clone()).or_default();
        if line.is_empty() && !lane.under_way.contains(&object) {
            lane.ready.push_back(object.clone());
        }
        line.push_back(leg);
        lane.count += 1;
        if line.len() > PER_OBJECT {
            return lane.let_go(&object);
        }
        if lane.count > PER_PLATFORM {
            // The object that has waited longest; where all are under way, the one that came now.
            let oldest = lane.ready.front().cloned().unwrap_or(object);
            return lane.let_go(&oldest);
        }
        None
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
            width: WIDTH,
        }
    }

    fn let_go(&mut self, object: &Object) -> Option<Leg> {
        let line = self.waiting.get(object)?;
        let superseded = line.iter().enumerate().position(|(place, leg)| {
            line.iter()
                .skip(place + 1)
                .any(|later| later.party == leg.party && supersedes(&later.carried, &leg.carried))
        });
        let leg = self.take(object, superseded.unwrap_or(0));
        if !self.waiting.contains_key(object) {
            self.ready.retain(|ready| ready != object);
        }
        leg
    }

    fn take(&mut self, object: &Object, place: usize) -> Option<Leg> {
        let line = self.waiting.get_mut(object)?;
        let leg = line.remove(place);
        if line.is_empty() {
            self.waiting.remove(object);
        }
        if leg.is_some() {
            self.count -= 1;
        }
        leg
    }
}

/// Whether a later copy says everything an earlier one said: it replaces or removes the same thing, or what that is a part of.
fn supersedes(later: &Carried, earlier: &Carried) -> bool {
    let whole = matches!(later.method(), "PUT" | "DELETE");
    let below = earlier.tail().strip_prefix(later.tail());
    whole && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicUsize;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::client::Method;
    use crate::delivery::order::Order;
    use crate::store::{CopyRow, NewCopy};

    fn leg(platform: &str, object: &str, method: &str, tail: &str, number: i64) -> Leg {
        let object = Object {
            platform: PlatformId::from(platform),
            module: "locations".into(),
            owner: "DE/ABC".into(),
            object: object.into(),
        };
        let row = CopyRow {
            copy: NewCopy {
                id: String::new(),
                platform_id: "cpo".into(),
                sender: "DE/ABC".into(),
                sender_role: "CPO".into(),
                version: "2.2.1".into(),
                method: method.into(),
                tail: tail.into(),
                query: None,
                body: None,
                correlation_id: String::new(),
                lease_owner: String::new(),
                lease_until: DateTime::UNIX_EPOCH,
                created_at: DateTime::UNIX_EPOCH,
            },
            module: "locations".into(),
            owner_key: "DE/ABC".into(),
            object_key: object.object.clone(),
            revision: number,
        };
        Leg {
            carried: Arc::new(Carried {
                module: "locations",
                method: Method::from_bytes(method.as_bytes()).unwrap(),
                body: None,
                left: AtomicUsize::new(1),
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

    // D-16
    #[test]
    fn an_object_waits_for_itself_and_a_platform_for_nobody_else() {
        let mut lanes = Lanes::default();
        for (object, n) in [("L1", 1), ("L1", 2), ("L2", 3)] {
            assert!(lanes.add(put("slow", object, n)).is_none());
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
            assert!(lanes.add(patch(n)).is_none());
        }
        assert!(lanes.add(put("slow", "L1", 31)).is_none());
        assert_eq!(
            number(&lanes.add(patch(32)).unwrap()),
            1,
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
            .filter_map(|n| lanes.add(put("slow", &format!("L{n}"), n)))
            .map(|leg| number(&leg));
        assert_eq!(let_go.collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    }

    proptest! {
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
