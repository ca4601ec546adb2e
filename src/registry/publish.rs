//! Never confirmed before published: a registration is read back through the public path, and only then counts (SAF-32).
//!
//! The read goes to the configured public URL over HTTP, like anybody's, and must return the same key under the same fingerprint, with the
//! registration among those it shows. When it does not, the registration stays PUBLISHED and is read again after growing pauses. With its
//! confirmation, and in the same commit, the registration whose place it takes is closed at the instant the new one begins: there is no
//! time without a key, also when the confirmation comes a day later.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Registry;
use super::act::{Actor, Declined, stepped};
use super::commit::{Draft, Plan};
use super::lifecycle::{State, Step};
use super::record::{Reason, Registration};
use super::wish::Wish;
use crate::client::backoff::next_delay;
use crate::client::{Method, Outcome, Outgoing};
use crate::metering::key::PublicKey;
use crate::store::StoreError;

/// Reads that failed, and when to try again. Lost with the process: then all are tried at once.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<String, (u32, DateTime<Utc>)>>);

const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How many are read in one round: a broken public path must not keep the round from its other duties.
const AT_ONCE: usize = 20;
/// A page about one key is small; a path that answers something else is not read to its end.
const LARGEST_ANSWER: usize = 1024 * 1024;

impl Attempts {
    fn is_due(&self, id: &str, now: DateTime<Utc>) -> bool {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(id).is_none_or(|(_, at)| *at <= now)
    }

    fn failed(&self, id: &str, now: DateTime<Utc>) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, at) = attempts.entry(id.to_owned()).or_insert((0, now));
        *count += 1;
        let pause = next_delay(*count, None, FIRST_PAUSE, LONGEST_PAUSE, 1.0);
        *at = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
    }

    fn over(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Registry {
    /// Reads a published registration back and confirms it, if everybody can read it. One in any other state is left alone.
    pub(super) async fn read_back(&self, id: &str) -> Result<(), StoreError> {
        let Some(published) = self.latest(id).filter(|one| one.state == State::Published) else {
            return Ok(());
        };
        match self.is_readable(&published).await {
            Ok(()) => self.confirm(id).await,
            Err(why) => {
                ::log::warn!(registration = id; "a published key cannot be read back through {}: {why}", self.settings.public_url);
                self.attempts.failed(id, self.clock.now());
                Ok(())
            }
        }
    }

    pub(super) async fn read_back_what_is_due(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let due: Vec<String> = {
            let index = self.index();
            let published = index.waiting().map(|one| one.now());
            published
                .filter(|one| one.state == State::Published && self.attempts.is_due(&one.id, now))
                .map(|one| one.id.clone())
                .take(AT_ONCE)
                .collect()
        };
        for id in due {
            self.read_back(&id).await?;
        }
        Ok(())
    }

    /// DEACTIVATED at `valid_to` (key-registry.md 4.2).
    pub(super) async fn end_what_is_over(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let over: Vec<String> = {
            let index = self.index();
            let over = index.waiting().map(|one| one.now());
            over.filter(|one| one.state == State::Confirmed && one.valid_to.is_some_and(|end| end <= now))
                .map(|one| one.id.clone())
                .take(AT_ONCE)
                .collect()
        };
        for id in over {
            // Declined where another process was quicker.
            if let Err(Declined::Failed(error)) = self.wish(&id, &Wish::Deactivate(None), &Actor::Hub).await {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn is_readable(&self, published: &Registration) -> Result<(), String> {
        let url = format!("{}/keys/{}.json", self.settings.public_url, published.fingerprint);
        let outgoing = Outgoing {
            method: Method::GET,
            url,
            headers: vec![
                ("Accept".to_owned(), "application/json".to_owned()),
                // A cache on the way would show yesterday.
                ("Cache-Control".to_owned(), "no-cache".to_owned()),
            ],
            body: None,
            timeout: PATIENCE,
            allowed_hosts: None,
        };
        let answer = match self.mirror.send_for(outgoing, LARGEST_ANSWER).await {
            Outcome::Answered(answer) if answer.status == 200 => answer,
            other => return Err(other.to_string()),
        };
        let shown: Value = serde_json::from_slice(&answer.body).map_err(|_| "it is not shown as JSON".to_owned())?;
        let key = shown.get("public_key").and_then(Value::as_str).unwrap_or_default();
        let read = PublicKey::read(key, None).map_err(|error| error.to_string())?;
        if read.fingerprint() != published.fingerprint {
            return Err("another key is shown there".to_owned());
        }
        let mut registrations = shown
            .get("registrations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let is_shown = registrations.any(|one| one.get("id").and_then(Value::as_str) == Some(&published.id));
        is_shown
            .then_some(())
            .ok_or_else(|| "the registration is not shown there".to_owned())
    }

    /// Confirms, and closes what it takes the place of.
    async fn confirm(&self, id: &str) -> Result<(), StoreError> {
        let confirmed = self
            .commit(|index, now| {
                let old = index.get(id).map(|one| one.now()).ok_or(Declined::Unknown)?;
                let confirmed = stepped(old, Step::Confirm, now)?;
                let mut drafts = Vec::new();
                let replaced = old
                    .supersedes
                    .as_deref()
                    .and_then(|other| index.get(other))
                    .map(|one| one.now());
                if let Some(replaced) = replaced {
                    // It may have ended by itself in the meantime; then there is nothing to close.
                    if let Ok(closed) = stepped(replaced, Step::Supersede, now) {
                        let end = match old.reason {
                            // Wrong from its beginning: it never held.
                            Reason::Correction => replaced.valid_from,
                            _ => old.valid_from.max(replaced.valid_from),
                        };
                        let closed = Registration {
                            valid_to: Some(replaced.valid_to.map_or(end, |other| other.min(end))),
                            superseded_by: Some(id.to_owned()),
                            deactivated_at: Some(now),
                            ..closed
                        };
                        drafts.push(Draft::of(closed, "SUPERSEDED", "hub"));
                    }
                }
                drafts.push(Draft::of(confirmed, "CONFIRMED", "hub"));
                Ok(Plan {
                    drafts,
                    files: Vec::new(),
                    outcome: (),
                })
            })
            .await;
        match confirmed {
            Ok(()) => {
                self.attempts.over(id);
                Ok(())
            }
            Err(Declined::Failed(error)) => Err(error),
            // Another process was quicker.
            Err(_) => Ok(()),
        }
    }
}
