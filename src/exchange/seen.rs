//! What came from a peer hub a moment ago: the same message by another way is a message that goes round (D-26, N-06).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::incoming::Incoming;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::refusal::Refusal;

/// How long a message is remembered (D-26).
const REMEMBERED: TimeDelta = TimeDelta::seconds(60);

/// How many are remembered at most; beyond it the oldest are forgotten early.
const AT_MOST: usize = 16_384;

/// Messages of peer hubs, by correlation id and body.
#[derive(Default)]
pub struct Seen(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    from: HashMap<[u8; 32], PlatformId>,
    order: VecDeque<(DateTime<Utc>, [u8; 32])>,
}

impl Seen {
    /// Remembers a message of a peer hub.
    ///
    /// # Errors
    /// 4000 when the same correlation id came with the same body from another peer hub within a minute.
    pub fn once(&self, incoming: &Incoming, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(correlation_id) = &incoming.ids.correlation_id else {
            return Ok(());
        };
        let body = incoming.body.as_deref().unwrap_or_default();
        self.note(&incoming.caller.platform.id, correlation_id, body, now)
    }

    fn note(&self, hub: &PlatformId, correlation_id: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        let mut digest = Sha256::new();
        digest.update(correlation_id.len().to_be_bytes());
        digest.update(correlation_id);
        digest.update(body);
        let digest: [u8; 32] = digest.finalize().into();
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at, oldest)) = memory.order.front().copied()
            && (now - at > REMEMBERED || memory.order.len() >= AT_MOST)
        {
            memory.order.pop_front();
            memory.from.remove(&oldest);
        }
        match memory.from.get(&digest) {
            Some(first) if first != hub => Err(Refusal::hub_error(
                "this message came from another hub a moment ago: it goes round",
            )),
            Some(_) => Ok(()),
            None => {
                memory.from.insert(digest, hub.clone());
                memory.order.push_back((now, digest));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D-26, N-06
    #[test]
    fn a_message_that_comes_back_by_another_hub_within_a_minute_goes_round() {
        let seen = Seen::default();
        let (one, other) = (PlatformId::from("one"), PlatformId::from("other"));
        let now = DateTime::UNIX_EPOCH;
        let said = |hub: &PlatformId, id: &str, body: &[u8], seconds| {
            seen.note(hub, id, body, now + TimeDelta::seconds(seconds))
                .map_err(|no| no.code().0)
        };
        assert_eq!(said(&one, "c", b"{}", 0), Ok(()));
        assert_eq!(said(&one, "c", b"{}", 1), Ok(()), "a repeat of its own");
        assert_eq!(said(&other, "c", b"{}", 60), Err(4000));
        assert_eq!(said(&other, "c", b"{ }", 60), Ok(()), "another body");
        assert_eq!(said(&other, "d", b"{}", 60), Ok(()), "another message");
        assert_eq!(said(&other, "c", b"{}", 61), Ok(()), "a minute later");
    }

    #[test]
    fn no_more_is_remembered_than_fits() {
        let seen = Seen::default();
        let hub = PlatformId::from("one");
        for number in 0..AT_MOST + 10 {
            assert!(seen.note(&hub, &number.to_string(), b"", DateTime::UNIX_EPOCH).is_ok());
        }
        let memory = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(memory.order.len() <= AT_MOST && memory.from.len() == memory.order.len());
    }
}
