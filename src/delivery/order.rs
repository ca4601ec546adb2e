//! One at a time and in order of arrival, per receiving platform and object; everything else in parallel (D-16).
//!
//! OCPI has no sequence numbers: a PATCH that overtakes another one is never noticed by anybody. So whoever sends something
//! about an object takes a [`Ticket`] at the moment the request arrives and sends when it is its turn.
//!
//! ```text
//!  queue() ──► Ticket ── turn().await ──► Turn ── dropped ──► the next in line is called
//!                 └────────── dropped ──► its place is gone, nobody waits for it
//! ```
//!
//! A slow receiver holds up its own objects only (R-47): other platforms have other lines. How much may be in the air
//! towards one platform is not decided here. Knowledge of one process: two requests about one object that reach two
//! processes are in no order that anybody could have observed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::ocpi::ids::{PartyId, PlatformId, fold};

/// What has one line: an object as one platform receives it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// The receiving platform.
    pub platform: PlatformId,
    /// The module by its name on the wire, `sessions`.
    pub module: String,
    /// The data owner as [`PartyId::key`], or empty where the route names none.
    pub owner: String,
    /// The object's folded id. EVSEs and connectors go by their location's id: its `last_updated` follows theirs.
    pub object: String,
}

impl Object {
    /// The line of an object, however its owner and its id are spelled.
    #[must_use]
    pub fn new(platform: &PlatformId, module: &str, owner: Option<&PartyId>, id: &str) -> Object {
        Object {
            platform: platform.clone(),
            module: module.to_owned(),
            owner: owner.map(PartyId::key).unwrap_or_default(),
            object: fold(id),
        }
    }
}

/// Without the id: that of a token is a driver's.
impl fmt::Debug for Object {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Object")
            .field("platform", &self.platform)
            .field("module", &self.module)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// All lines of a process. Clones are the same lines. An object nobody sends anything about costs no memory.
#[derive(Clone, Default)]
pub struct Order(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    /// The number of the next ticket. One counter for all lines, because a line is forgotten when it is empty.
    next: u64,
    by_object: HashMap<Arc<Object>, Line>,
}

/// Everybody in line by number; the first one's turn it is. The senders of those who have been called are gone.
type Line = BTreeMap<u64, Option<oneshot::Sender<()>>>;

impl Order {
    /// Takes a ticket now: the order of calls is the order of service. Never blocks, and needs no runtime.
    pub fn queue(&self, object: Object) -> Ticket {
        let (call, called) = oneshot::channel();
        let mut lines = self.lines();
        let number = lines.next;
        lines.next += 1;
        let object = match lines.by_object.get_key_value(&object) {
            Some((known, _)) => known.clone(),
            None => Arc::new(object),
        };
        let line = lines.by_object.entry(object.clone()).or_default();
        let alone = line.is_empty();
        line.insert(number, Some(call));
        if alone {
            call_first(line);
        }
        drop(lines);
        let place = Place {
            order: self.clone(),
            object,
            number,
        };
        Ticket { called, place }
    }

    /// How many wait behind the one whose turn it is. A broadcast that must not grow without bound looks here first.
    #[must_use]
    pub fn waiting(&self, object: &Object) -> usize {
        let lines = self.lines();
        lines
            .by_object
            .get(object)
            .map_or(0, |line| line.len().saturating_sub(1))
    }

    /// How many objects have a line right now.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.lines().by_object.len()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in line. Dropping it gives up the place.
#[must_use = "a ticket that is dropped has lost its place"]
pub struct Ticket {
    called: oneshot::Receiver<()>,
    place: Place,
}

impl Ticket {
    /// Waits until everybody who queued before for the same object is through or gone. A caller that stops waiting gives
    /// up the place.
    pub async fn turn(self) -> Turn {
        let Ticket { called, place } = self;
        // An error would mean that the caller's sender was dropped unused; it goes only together with our own place.
        let _ = called.await;
        Turn { _place: place }
    }
}

/// Held while the request is under way; dropping it, by whatever end, calls the next.
#[must_use = "the next one is called when the turn is dropped"]
pub struct Turn {
    _place: Place,
}

struct Place {
    order: Order,
    object: Arc<Object>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.order.lines();
        let Some(line) = lines.by_object.get_mut(&self.object) else {
            return;
        };
        let was_first = line.first_key_value().is_some_and(|(first, _)| *first == self.number);
        line.remove(&self.number);
        if line.is_empty() {
            lines.by_object.remove(&self.object);
        } else if was_first {
            call_first(line);
        }
    }
}

/// The first in line may go. If it has just stopped listening, it is about to leave and calls the next itself.
fn call_first(line: &mut Line) {
    if let Some(mut first) = line.first_entry()
        && let Some(call) = first.get_mut().take()
    {
        let _ = call.send(());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn object(platform: &str, id: &str) -> Object {
        let owner = PartyId::new("DE", "ABC").unwrap();
        Object::new(&PlatformId::from(platform), "sessions", Some(&owner), id)
    }

    fn is_called(ticket: &mut Ticket) -> bool {
        ticket.called.try_recv().is_ok()
    }

    // D-16, R-46
    #[tokio::test]
    async fn one_object_is_served_one_at_a_time_in_order_of_arrival() {
        let order = Order::default();
        let first = order.queue(object("one", "S1")).turn().await;
        let mut second = order.queue(object("one", "s1"));
        let mut third = order.queue(object("one", "S1"));
        assert_eq!(order.waiting(&object("one", "S1")), 2);
        assert!(!is_called(&mut second) && !is_called(&mut third));
        drop(first);
        assert!(is_called(&mut second) && !is_called(&mut third));
        drop(second);
        assert!(is_called(&mut third));
        assert_eq!(order.waiting(&object("one", "S1")), 0);
        drop(third);
        assert_eq!(order.objects(), 0);
    }

    // R-47, R-62
    #[tokio::test]
    async fn another_object_or_another_platform_waits_for_nobody() {
        let order = Order::default();
        let _stuck = order.queue(object("slow", "S1")).turn().await;
        let _behind = order.queue(object("slow", "S1"));
        let _other_object = order.queue(object("slow", "S2")).turn().await;
        let _other_platform = order.queue(object("quick", "S1")).turn().await;
        let mut other_owner = object("slow", "S1");
        other_owner.owner = "NL/ABC".to_owned();
        let _other_owner = order.queue(other_owner).turn().await;
    }

    // D-16
    #[test]
    fn whoever_leaves_the_line_holds_up_nobody_behind() {
        let order = Order::default();
        let first = order.queue(object("one", "S1"));
        let second = order.queue(object("one", "S1"));
        let mut third = order.queue(object("one", "S1"));
        drop(second);
        assert!(!is_called(&mut third));
        drop(first);
        assert!(is_called(&mut third));
        let never_polled = order.queue(object("one", "S1")).turn();
        drop(never_polled);
        drop(third);
        assert_eq!(order.objects(), 0);
    }

    #[test]
    fn the_id_of_an_object_is_in_no_debug_output() {
        let text = format!("{:?}", object("one", "0123CARD"));
        assert!(text.contains("sessions") && !text.contains("0123CARD"), "{text}");
    }

    /// One sender: how many steps it dawdles before it waits and while it is served, and after how many it is cancelled.
    #[derive(Clone, Debug)]
    struct Sender {
        object: usize,
        dawdles: u8,
        sends: u8,
        cancelled_after: Option<u8>,
    }

    fn senders() -> impl Strategy<Value = Vec<Sender>> {
        let one = (0..3_usize, 0..4_u8, 0..6_u8, prop::option::weighted(0.4, 0..40_u8));
        let one = one.prop_map(|(object, dawdles, sends, cancelled_after)| Sender {
            object,
            dawdles,
            sends,
            cancelled_after,
        });
        prop::collection::vec(one, 1..40)
    }

    #[derive(Default)]
    struct Counter {
        busy: AtomicBool,
        served: Mutex<Vec<usize>>,
    }

    struct Busy(Arc<Counter>);

    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.busy.store(false, Ordering::SeqCst);
        }
    }

    async fn steps(count: u8) {
        for _ in 0..count {
            yield_now().await;
        }
    }

    fn send(ticket: Ticket, number: usize, sender: &Sender, counter: &Arc<Counter>) -> JoinHandle<()> {
        let (sender, counter) = (sender.clone(), counter.clone());
        tokio::spawn(async move {
            steps(sender.dawdles).await;
            let _turn = ticket.turn().await;
            assert!(!counter.busy.swap(true, Ordering::SeqCst), "two at a time");
            let _busy = Busy(counter.clone());
            counter.served.lock().unwrap().push(number);
            steps(sender.sends).await;
        })
    }

    async fn run(senders: &[Sender]) {
        let order = Order::default();
        let counters: [Arc<Counter>; 3] = Default::default();
        let mut tasks = Vec::new();
        for (number, sender) in senders.iter().enumerate() {
            let ticket = order.queue(object("one", &sender.object.to_string()));
            tasks.push(send(ticket, number, sender, &counters[sender.object]));
        }
        for step in 0..40 {
            for (task, sender) in tasks.iter().zip(senders) {
                if sender.cancelled_after == Some(step) {
                    task.abort();
                }
            }
            yield_now().await;
        }
        for (task, sender) in tasks.into_iter().zip(senders) {
            let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
            let ended = ended.expect("somebody starves");
            assert!(ended.is_ok() || sender.cancelled_after.is_some(), "{ended:?}");
            assert!(ended.is_ok_or_cancelled(), "a sender broke");
        }
        let served: Vec<Vec<usize>> = counters.iter().map(|one| one.served.lock().unwrap().clone()).collect();
        for line in &served {
            assert!(line.is_sorted(), "out of order: {line:?}");
        }
        let patient = senders
            .iter()
            .enumerate()
            .filter(|(_, one)| one.cancelled_after.is_none());
        for (number, sender) in patient {
            assert!(served[sender.object].contains(&number), "{number} was never served");
        }
        assert_eq!(order.objects(), 0);
    }

    trait Ended {
        fn is_ok_or_cancelled(&self) -> bool;
    }

    impl Ended for Result<(), tokio::task::JoinError> {
        fn is_ok_or_cancelled(&self) -> bool {
            self.as_ref()
                .map_or_else(tokio::task::JoinError::is_cancelled, |()| true)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        // D-16, R-46, R-62
        #[test]
        fn whatever_the_delays_and_cancellations_order_holds_and_nobody_starves(senders in senders()) {
            let mut single = tokio::runtime::Builder::new_current_thread();
            single.enable_time().build().unwrap().block_on(run(&senders));
            let mut several = tokio::runtime::Builder::new_multi_thread();
            several.worker_threads(2).enable_time().build().unwrap().block_on(run(&senders));
        }
    }
}
