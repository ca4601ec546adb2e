//! How much of all bodies together is in memory: each may be large, all of them at once may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::{Bytes, BytesMut};

use crate::ocpi::refusal::Refusal;

/// Up to here a body is not counted: the many small ones are bounded by the number of connections.
const SMALL: usize = 64 * 1024;

/// When to try again.
const SOON: Duration = Duration::from_secs(1);

/// What large bodies hold, from their first octets until nobody needs them any more.
#[derive(Debug, Clone)]
pub struct Bodies {
    most: usize,
    held: Arc<AtomicUsize>,
}

/// One body while it arrives.
#[derive(Debug)]
pub struct Arriving {
    octets: BytesMut,
    share: Share,
}

/// What one body holds of it; given back when dropped.
#[derive(Debug)]
struct Share {
    of: Bodies,
    counted: usize,
}

impl Bodies {
    /// At most so many octets.
    #[must_use]
    pub fn of_at_most(most: usize) -> Bodies {
        Bodies {
            most,
            held: Arc::default(),
        }
    }

    /// A body of which nothing has arrived yet.
    #[must_use]
    pub fn begin(&self) -> Arriving {
        Arriving {
            octets: BytesMut::new(),
            share: Share {
                of: self.clone(),
                counted: 0,
            },
        }
    }
}

impl Arriving {
    /// More of it.
    ///
    /// # Errors
    /// 429 when all bodies together would be too much.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let length = self.octets.len().saturating_add(chunk.len());
        if length > SMALL {
            self.share.grow_to(length)?;
        }
        self.octets.extend_from_slice(chunk);
        Ok(())
    }

    /// The whole of it. What it holds is given back when the last who has it drops it.
    #[must_use]
    pub fn whole(self) -> Bytes {
        match self.share.counted {
            0 => self.octets.freeze(),
            _ => Bytes::from_owner(self),
        }
    }
}

impl AsRef<[u8]> for Arriving {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Share {
    fn grow_to(&mut self, octets: usize) -> Result<(), Refusal> {
        let more = octets.saturating_sub(self.counted);
        let before = self.of.held.fetch_add(more, Ordering::Relaxed);
        self.counted += more;
        match before.saturating_add(more) <= self.of.most {
            true => Ok(()),
            false => Err(Refusal::too_often("too many large bodies at the same time", SOON)),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.held.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn large_bodies_share_what_there_is_and_give_it_back_when_nobody_has_them() {
        let bodies = Bodies::of_at_most(300_000);
        let arrive = |octets: usize| {
            let mut body = bodies.begin();
            (0..octets / 10_000).try_for_each(|_| body.take(&[b' '; 10_000]))?;
            Ok::<Bytes, Refusal>(body.whole())
        };
        let first = arrive(200_000).unwrap();
        let refused = arrive(200_000).unwrap_err();
        assert!(refused.message.contains("too many large bodies"), "{refused}");
        let small: Vec<Bytes> = (0..100).map(|_| arrive(60_000).unwrap()).collect();
        assert_eq!(first.len() + small.len(), 200_100);
        let part = first.slice(5..10);
        drop(first);
        assert!(arrive(200_000).is_err(), "somebody still has a part of it");
        drop(part);
        assert_eq!(arrive(200_000).unwrap().len(), 200_000);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }
}
