//! Those who receive: platforms registered by the handshake, each with a lean port of its own for locations. The last two get out of
//! order when told: one takes requests and never answers, one refuses connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::record::Record;
use super::{ENDPOINT, QUERY, TROUBLED, id};
use crate::cli::NotDone;
use crate::cli::bench::TAKEN;
use crate::cli::bench::door::{Answers, Door};
use crate::cli::bench::hub::{Hub, is_between};
use crate::cli::bench::tally::number_of;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::sandbox::wire::{self, Request};
use crate::sandbox::{Plan, SandboxParty};

/// All receivers.
pub struct Audience {
    doors: Vec<Door<Receiver>>,
    /// Their platforms: versions and credentials are answered to the end.
    _platforms: Vec<SandboxParty>,
    record: Arc<Record>,
}

struct Receiver {
    place: usize,
    party: PartyId,
    owner: PartyId,
    /// Who speaks on every leg of a broadcast.
    hub: PartyId,
    record: Arc<Record>,
    /// While true, nobody is answered.
    holds: watch::Sender<bool>,
}

impl Audience {
    /// Opens and registers them.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn gather(
        hub: &mut Hub,
        (owner, hub_party): (&PartyId, &PartyId),
        record: &Arc<Record>,
        receivers: usize,
    ) -> Result<Audience, NotDone> {
        let mut audience = Audience {
            doors: Vec::new(),
            _platforms: Vec::new(),
            record: Arc::clone(record),
        };
        let [high, low, ..] = uuid::Uuid::new_v4().into_bytes();
        let begin = usize::from(u16::from_be_bytes([high, low]));
        for place in 0..receivers {
            let party = party(begin, place)?;
            let receiver = Arc::new(Receiver {
                place,
                party: party.clone(),
                owner: owner.clone(),
                hub: hub_party.clone(),
                record: Arc::clone(record),
                holds: watch::Sender::new(false),
            });
            let door = Door::open(receiver).await.map_err(no_port)?;
            let plan = Plan::bare(&format!("Bench eMSP {place}"), vec![(party, Role::Emsp)]);
            let endpoint = door.url(&format!("{ENDPOINT}?{QUERY}"));
            let platform = hub.join(plan.served_at("locations", InterfaceRole::Receiver, &endpoint));
            audience._platforms.push(platform.await?);
            audience.doors.push(door);
        }
        Ok(audience)
    }

    /// From now on one of the last two never answers, and the other refuses connections.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn get_out_of_order(&mut self) -> Result<(), NotDone> {
        if let [.., silent, closed] = self.doors.as_mut_slice() {
            silent.answers().holds.send_replace(true);
            closed.refuse().await.map_err(no_port)?;
        }
        Ok(())
    }

    /// All are in order again; what was held is answered, and what the hub still has for them has come.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn get_well(&mut self) -> Result<(), NotDone> {
        if let [.., silent, closed] = self.doors.as_mut_slice() {
            silent.answers().holds.send_replace(false);
            closed.reopen().map_err(no_port)?;
        }
        self.record.rest(Duration::from_secs(1)).await;
        Ok(())
    }
}

/// One party per platform: neighbours in a row that begins anywhere, so that hundreds of them do not meet each other, and hardly those of
/// an earlier run on the same database. They begin with a digit; the sender does not.
fn party(begin: usize, place: usize) -> Result<PartyId, NotDone> {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let digit = |at: usize| DIGITS.get(at % DIGITS.len()).map_or('0', |digit| char::from(*digit));
    let at = begin + place;
    let first = digit(at / (DIGITS.len() * DIGITS.len()) % 10);
    let id: String = [first, digit(at / DIGITS.len()), digit(at)].into_iter().collect();
    PartyId::new("ZZ", &id).map_err(|error| NotDone::failed(error.to_string()))
}

fn no_port(error: std::io::Error) -> NotDone {
    NotDone::failed(format!("no receiver: {error}"))
}

impl Answers for Receiver {
    async fn answer(&self, request: Request) -> Vec<u8> {
        if self.place + TROUBLED >= self.record.receivers() && *self.holds.borrow() {
            // What is held has not been received: whoever never answers says nothing about it either.
            let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
        } else {
            match self.check(&request) {
                Ok(number) => self.record.arrive(self.place, number),
                Err(how) => self.record.wrong.spoil(how),
            }
        }
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        wire::response(200, &headers, TAKEN.as_bytes())
    }
}

impl Receiver {
    /// The number of a push that arrived as it was sent. The correlation id stays the same on every leg (M-06).
    fn check(&self, request: &Request) -> Result<usize, &'static str> {
        let number = request.header("x-correlation-id").and_then(number_of);
        let number = number.ok_or("another correlation id")?;
        let (country_code, party_id) = (self.owner.country_code(), self.owner.party_id());
        if request.target != format!("{ENDPOINT}/{country_code}/{party_id}/{}?{QUERY}", id(number)) {
            return Err("another path or query");
        }
        if request.method != "PUT" || !is_between(request, &self.hub, &self.party) {
            return Err("another method, other routing headers, no token, or no message id");
        }
        match self.record.bodies().get(number) {
            Some(body) if *body == request.body => Ok(number),
            _ => Err("other octets"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_thousand_receivers_are_a_thousand_parties_wherever_the_row_begins() {
        for begin in [0, 12_500, 65_535] {
            let parties: std::collections::HashSet<String> = (0..1000)
                .map(|place| party(begin, place).unwrap().to_string())
                .collect();
            assert_eq!(parties.len(), 1000);
        }
    }
}
