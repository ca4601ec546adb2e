//! URLs that were lent out, used: a next page, the `Location` of a CDR, and the later result of a command or a profile.
//!
//! [`crate::links`] knows what stands behind them and carries it; here it leaves its line (M-09), and what a result teaches is
//! remembered (CP-13).

use std::time::Instant;

use bytes::Bytes;

use super::hop::Hop;
use super::proxy::in_its_name;
use super::relay::Exchange;
use super::reply::Reply;
use crate::links::{Carried, Lent};
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::PartyId;
use crate::parties::{Caller, Failure};

/// What stands in the place of the module where a URL leads to nothing.
const NOTHING: &str = "links";

impl Exchange {
    /// Follows `/ocpi/p/{id}`.
    ///
    /// # Errors
    /// As [`crate::links::Links::find`] and [`crate::links::Links::follow`] say.
    pub async fn follow(
        &self,
        caller: &Caller,
        routing: &Routing,
        ids: &MessageIds,
        id: &str,
    ) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let hop = |module, object, from, to| Hop {
            caller: &caller.platform.id,
            ids,
            module,
            method: "GET",
            object,
            from,
            to,
        };
        let lent = match self.links.find(caller, routing, id).await {
            Ok(lent) => lent,
            Err(failure) => {
                let outcome = Err(failure);
                let hop = hop(NOTHING, None, routing.from.as_ref(), routing.to.as_ref());
                self.journal.note(hop.line(&outcome, begun.elapsed(), self.clock.now()));
                return outcome;
            }
        };
        let (module, object) = (lent.module().to_owned(), lent.object());
        let (from, to) = both(&lent);
        let outcome = self.links.follow(caller, ids, lent).await.map(Reply::from);
        let hop = hop(&module, object, Some(&from), Some(&to));
        self.journal.note(hop.line(&outcome, begun.elapsed(), self.clock.now()));
        outcome
    }

    /// Takes a result at a lent `response_url` and carries it on, in the order in which it is written down by [`crate::links`].
    ///
    /// Whose profile is set on a session is known from here on, whatever becomes of the result (CP-13): the CPO has set it.
    ///
    /// # Errors
    /// As [`crate::links::Links::take`] and [`crate::links::Links::carry`] say.
    pub async fn result(&self, caller: &Caller, ids: &MessageIds, id: &str, body: Bytes) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let result = match self.links.take(caller, ids, id, body).await {
            Ok(result) => result,
            Err(failure) => {
                let hop = Hop {
                    caller: &caller.platform.id,
                    ids,
                    module: NOTHING,
                    method: "POST",
                    object: None,
                    from: None,
                    to: None,
                };
                let outcome = Err(failure);
                self.journal.note(hop.line(&outcome, begun.elapsed(), self.clock.now()));
                return outcome;
            }
        };
        self.learn(&result);
        self.settle(&result).await;
        let (acts_for, cpo) = (result.acts_for.clone(), result.from.clone());
        let outcome = self.links.carry(result).await.map(Reply::from);
        match acts_for {
            Some(emsp) => in_its_name(outcome, &emsp, &cpo),
            None => outcome,
        }
    }

    fn learn(&self, result: &Carried) {
        if let Some(session) = result.steered() {
            self.hints.remember_profile(&result.from, session, &result.to);
        }
    }
}

fn both(lent: &Lent) -> (PartyId, PartyId) {
    let (from, to) = lent.parties();
    (from.clone(), to.clone())
}
