//! How many connections there are: in all, and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config;
use crate::ocpi::refusal::Refusal;
use crate::web::limits::address::{Proxies, customer};

/// The seats there are.
pub struct Seats {
    most: usize,
    each: Option<u32>,
    /// They ask for many.
    proxies: Proxies,
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// A seat that is taken; free again when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    address: Option<IpAddr>,
}

impl Seats {
    /// As configured.
    #[must_use]
    pub fn new(limits: &config::Limits, proxies: Proxies) -> Seats {
        Seats {
            most: usize::try_from(limits.connections).unwrap_or(usize::MAX),
            each: limits.connections_per_address,
            proxies,
            taken: AtomicUsize::new(0),
            by_address: Mutex::default(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes one for a caller at this address.
    ///
    /// # Errors
    /// 429 when all are taken, or all that one address may have.
    pub fn take(self: &Arc<Seats>, address: IpAddr) -> Result<Seat, Refusal> {
        let counted = self.each.is_some() && !self.proxies.are(address.to_canonical());
        // Dropped on the way out of a refusal, it gives back what it took.
        let mut seat = Seat {
            seats: self.clone(),
            address: None,
        };
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.most {
            return Err(Refusal::too_often("too many connections", SOON));
        }
        if counted {
            let address = customer(address);
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = by_address.entry(address).or_insert(0);
            if self.each.is_some_and(|each| *taken >= each) {
                drop(by_address);
                return Err(Refusal::too_often("too many connections from this address", SOON));
            }
            *taken += 1;
            seat.address = Some(address);
        }
        Ok(seat)
    }
}

/// When to try again.
const SOON: Duration = Duration::from_secs(1);

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address else { return };
        let mut by_address = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = by_address.get_mut(&address) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Config;

    fn seats(file: &str) -> Arc<Seats> {
        let config = Config::from_parts(Some(file), &HashMap::new()).unwrap();
        Arc::new(Seats::new(&config.limits, Proxies::new(&config.server)))
    }

    #[test]
    fn a_seat_is_free_again_when_its_caller_leaves() {
        let seats = seats("[limits]\nconnections = 3\nconnections_per_address = 2");
        let (one, other): (IpAddr, IpAddr) = ([203, 0, 113, 9].into(), [203, 0, 113, 10].into());
        let first = seats.take(one).unwrap();
        let second = seats.take(one).unwrap();
        let refused = seats.take(one).err().unwrap();
        assert!(refused.message.contains("from this address"), "{refused}");
        let third = seats.take(other).unwrap();
        let refused = seats.take(other).err().unwrap();
        assert!(refused.message.starts_with("too many connections;"), "{refused}");
        drop(first);
        let again = seats.take(one).unwrap();
        drop((second, third, again));
        assert_eq!(seats.taken.load(Ordering::Relaxed), 0);
        assert!(seats.by_address.lock().unwrap().is_empty());
    }

    #[test]
    fn a_proxy_of_ours_asks_for_many_and_an_ipv6_network_is_one() {
        let seats = seats("[limits]\nconnections_per_address = 1\n[server]\ntrusted_proxies = \"10.0.0.0/8\"");
        let _kept: Vec<Seat> = (0..5).map(|_| seats.take([10, 0, 0, 1].into()).unwrap()).collect();
        let _one = seats.take("2001:db8::1".parse().unwrap()).unwrap();
        assert!(seats.take("2001:db8::2".parse().unwrap()).is_err());
        assert!(seats.take("2001:db8:0:1::2".parse().unwrap()).is_ok());
    }
}
