//! One commit: documents and their lines in the log, or nothing of both.

use std::sync::PoisonError;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::log::chain::{Head, Line};
use super::log::{canonical, entry::Entry};
use super::record::{self, Registration};
use super::waivers::{self, Waiver};
use super::{Index, Registry};
use crate::store::outbox::NewDuty;
use crate::store::registry::{RegistryBatch, RegistryDocument, RegistryLine};
use crate::store::{Store, StoreError};

/// More often than this in a row nobody is quicker by chance.
const TRIES: u32 = 50;

/// A document to be written, and what to say about it.
pub(super) struct Draft {
    kind: &'static str,
    id: String,
    version: u64,
    state: Option<&'static str>,
    event: &'static str,
    actor: String,
    document: Result<String, StoreError>,
    entered: Entered,
}

/// What the index learns by it.
enum Entered {
    Registration(Box<Registration>),
    Waiver(Box<Waiver>),
    Nothing,
}

/// The same, with the instant at which the registry learns of it.
pub(super) struct Recorded {
    at: DateTime<Utc>,
    draft: Draft,
    document: String,
}

impl Recorded {
    pub(super) fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

impl Draft {
    /// A version of a registration.
    pub(super) fn of(registration: Registration, event: &'static str, actor: &str) -> Draft {
        Draft {
            id: registration.id.clone(),
            version: registration.version,
            state: Some(registration.state.as_str()),
            entered: Entered::Registration(Box::new(registration.clone())),
            ..Draft::once(record::kind::REGISTRATION, String::new(), &registration, event, actor)
        }
    }

    /// A version of a waiver.
    pub(super) fn of_waiver(waiver: Waiver, event: &'static str, actor: &str) -> Draft {
        Draft {
            version: waiver.version,
            entered: Entered::Waiver(Box::new(waiver.clone())),
            ..Draft::once(waivers::KIND, waiver.name(), &waiver, event, actor)
        }
    }

    /// A document that has one version.
    pub(super) fn once(
        kind: &'static str,
        id: String,
        document: &impl Serialize,
        event: &'static str,
        actor: &str,
    ) -> Draft {
        Draft {
            kind,
            id,
            version: 1,
            state: None,
            event,
            actor: actor.to_owned(),
            document: record::text(document),
            entered: Entered::Nothing,
        }
    }

    pub(super) fn recorded(self, at: DateTime<Utc>) -> Result<Recorded, StoreError> {
        let document = self.document.clone()?;
        Ok(Recorded {
            // As exact as the databases keep it, so that the line and the column say the same.
            at: at.trunc_subsecs(6),
            draft: self,
            document,
        })
    }
}

/// What to write, and what to tell the caller once it is written.
pub(super) struct Plan<T> {
    pub(super) drafts: Vec<Draft>,
    pub(super) duties: Vec<NewDuty>,
    pub(super) outcome: T,
}

impl<T> Plan<T> {
    /// Nothing to write.
    pub(super) fn nothing(outcome: T) -> Plan<T> {
        Plan {
            drafts: Vec::new(),
            duties: Vec::new(),
            outcome,
        }
    }
}

impl Registry {
    /// Plans a change with everything that is registered in view, and commits it. When another process was quicker, it is planned anew.
    pub(super) async fn commit<T, E: From<StoreError>>(
        &self,
        plan: impl Fn(&Index, DateTime<Utc>) -> Result<Plan<T>, E>,
    ) -> Result<T, E> {
        for _ in 0..TRIES {
            let mut head = self.head.lock().await;
            self.catch_up(&mut head).await?;
            let now = self.clock.now().trunc_subsecs(6);
            let plan = plan(&self.index(), now)?;
            if plan.drafts.is_empty() {
                return Ok(plan.outcome);
            }
            let recorded = plan.drafts.into_iter().map(|draft| draft.recorded(now));
            let recorded = recorded.collect::<Result<Vec<_>, _>>()?;
            match self.write(&mut head, recorded, plan.duties).await {
                Ok(()) => return Ok(plan.outcome),
                Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Writes, and enters what was written into the index.
    pub(super) async fn write(
        &self,
        head: &mut Head,
        recorded: Vec<Recorded>,
        duties: Vec<NewDuty>,
    ) -> Result<(), StoreError> {
        let mut batch = RegistryBatch {
            after: head.size,
            duties,
            ..RegistryBatch::default()
        };
        let mut next = *head;
        for one in &recorded {
            let line = next.next(Entry {
                seq: 0,
                at: one.at,
                actor: one.draft.actor.clone(),
                event: one.draft.event.to_owned(),
                kind: one.draft.kind.to_owned(),
                id: one.draft.id.clone(),
                version: one.draft.version,
                digest: canonical::digest(&one.document),
                previous: String::new(),
            });
            next.follow(&line)
                .map_err(|bad| super::proof::broken(&bad.to_string()))?;
            batch.documents.push(RegistryDocument {
                seq: line.seq,
                kind: one.draft.kind.to_owned(),
                id: one.draft.id.clone(),
                version: one.draft.version,
                recorded_at: one.at,
                state: one.draft.state.map(str::to_owned),
                document: one.document.clone(),
            });
            batch.lines.push(as_kept(line));
        }
        self.store.registry_append(batch).await?;
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for one in recorded {
            match one.draft.entered {
                Entered::Registration(registration) => index.put(*registration, one.at),
                Entered::Waiver(waiver) => index.put_waiver(*waiver, one.at),
                Entered::Nothing => {}
            }
        }
        *head = next;
        Ok(())
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

fn as_kept(line: Line) -> RegistryLine {
    RegistryLine {
        seq: line.seq,
        entry: line.text,
        hash: line.hash,
    }
}
