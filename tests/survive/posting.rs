//! Hands that post CDRs without a pause, from before the trouble until after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;
use truewatt::sandbox::SandboxEmsp;
use truewatt::sandbox::cpo::SandboxCpo;

use crate::databases::post_until_taken;

/// Four hands of one CPO, each with one CDR at a time, repeated until it is taken.
pub struct Posting {
    over: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
    hands: Vec<JoinHandle<usize>>,
}

impl Posting {
    pub fn begin(cpo: &Arc<SandboxCpo>, emsp: &Arc<SandboxEmsp>) -> Posting {
        let (over, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let hands = (0..4).map(|_| {
            let (cpo, emsp, over, number) = (cpo.clone(), emsp.clone(), over.clone(), number.clone());
            tokio::spawn(async move {
                let mut refusals = 0;
                while !over.load(Ordering::Relaxed) {
                    let id = format!("C-{}", number.fetch_add(1, Ordering::Relaxed));
                    refusals += post_until_taken(&cpo, &emsp, &id).await;
                }
                refusals
            })
        });
        Posting {
            hands: hands.collect(),
            over,
            number,
        }
    }

    /// How many were begun so far.
    pub fn begun(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// Lets every hand finish: how many CDRs were taken, and how often one was refused before.
    pub async fn end(self) -> (usize, usize) {
        self.over.store(true, Ordering::Relaxed);
        let mut refusals = 0;
        for hand in self.hands {
            refusals += hand.await.unwrap();
        }
        (self.number.load(Ordering::Relaxed), refusals)
    }
}
