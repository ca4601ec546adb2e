//! One commit: documents and their lines in the log, or nothing of both.

use std::sync::PoisonError;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::log::chain::{Head, Line};
use super::log::{canonical, entry::Entry};
use super::record::{self, Registration};
use super::waivers::{self, Waiver};
use super::{Actor, Index, Registry};
use crate::delivery::kinds;
use crate::store::answers::AnswerRow;
use crate::store::confirmations::NewConfirmation;
use crate::store::files::NewFile;
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
    /// Documents that the drafts name.
    pub(super) files: Vec<NewFile>,
    pub(super) outcome: T,
}

/// A request that may come twice, and what is answered to it where it comes first.
pub struct Asked<'a, T> {
    /// The request.
    pub request: &'a Request,
    /// The answer to what was done. Kept in the same commit.
    pub say: &'a (dyn Fn(&T) -> Said + Send + Sync),
}

/// A request that has one answer, however often it comes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who made it.
    pub holder: String,
    /// The key they gave it.
    pub key: String,
    /// SHA-256 of the request, hex.
    pub digest: String,
    /// An answer from before this instant is too old to count.
    pub since: DateTime<Utc>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// `Location` header.
    pub location: Option<String>,
    /// JSON.
    pub body: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Told<T> {
    /// It was done.
    Now(T),
    /// It was done before; this is what was answered.
    Before(AnswerRow),
}

impl Request {
    /// An answer to it, as it is kept.
    #[must_use]
    pub fn answered(&self, said: Said, at: DateTime<Utc>) -> AnswerRow {
        AnswerRow {
            holder: self.holder.clone(),
            key: self.key.clone(),
            digest: self.digest.clone(),
            status: i64::from(said.status),
            location: said.location,
            body: said.body,
            created_at: at,
        }
    }
}

impl<T> Told<T> {
    /// What was done, for whom nobody can have asked before.
    pub(super) fn now(self) -> Result<T, StoreError> {
        match self {
            Told::Now(outcome) => Ok(outcome),
            Told::Before(_) => Err(super::proof::broken("nobody asked, and there is an answer")),
        }
    }
}

impl<T> Plan<T> {
    /// Nothing to write.
    pub(super) fn nothing(outcome: T) -> Plan<T> {
        Plan {
            drafts: Vec::new(),
            files: Vec::new(),
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
        Ok(self.commit_once(None, plan).await?.now()?)
    }

    /// The same for somebody who may ask twice: the change and its answer are one commit, so that no crash and no other process makes
    /// two changes of one request.
    pub(super) async fn commit_once<T, E: From<StoreError>>(
        &self,
        asked: Option<&Asked<'_, T>>,
        plan: impl Fn(&Index, DateTime<Utc>) -> Result<Plan<T>, E>,
    ) -> Result<Told<T>, E> {
        for _ in 0..TRIES {
            let mut head = self.head.lock().await;
            self.catch_up(&mut head).await?;
            let now = self.clock.now().trunc_subsecs(6);
            let plan = plan(&self.index(), now)?;
            if plan.drafts.is_empty() && asked.is_none() {
                return Ok(Told::Now(plan.outcome));
            }
            let at = self.index().next_record_time(now);
            let recorded = plan.drafts.into_iter().map(|draft| draft.recorded(at));
            let recorded = recorded.collect::<Result<Vec<_>, _>>()?;
            let answer = asked.map(|asked| {
                let said = (asked.say)(&plan.outcome);
                (asked.request.answered(said, now), asked.request.since)
            });
            match self.write(&mut head, recorded, plan.files, answer).await {
                Ok(None) => return Ok(Told::Now(plan.outcome)),
                Ok(Some(before)) => return Ok(Told::Before(before)),
                Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Writes, and enters what was written into the index; unless it was the answer to a request that was answered before.
    pub(super) async fn write(
        &self,
        head: &mut Head,
        recorded: Vec<Recorded>,
        files: Vec<NewFile>,
        answer: Option<(AnswerRow, DateTime<Utc>)>,
    ) -> Result<Option<AnswerRow>, StoreError> {
        let told = recorded.iter().filter_map(|one| self.confirmation(one));
        let mut batch = RegistryBatch {
            after: head.size,
            confirmations: told.collect(),
            files,
            answer,
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
            next.follow::<Entry>(&line)
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
        if let Some(before) = self.store.registry_append(batch).await? {
            return Ok(Some(before));
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for one in recorded {
            match one.draft.entered {
                Entered::Registration(registration) => index.put(*registration, one.at),
                Entered::Waiver(waiver) => index.put_waiver(*waiver, one.at),
                Entered::Nothing => {}
            }
        }
        *head = next;
        Ok(None)
    }

    /// What a version owes to whoever submitted it: a word when it counts (SAF-31), or when a person ended its waiting.
    fn confirmation(&self, recorded: &Recorded) -> Option<NewConfirmation> {
        let Entered::Registration(registration) = &recorded.draft.entered else {
            return None;
        };
        let to = registration.confirm_to.as_ref()?;
        let is_news = match recorded.draft.event {
            "CONFIRMED" => true,
            // By the hub itself, the submission was answered with it.
            "REFUSED" | "WITHDRAWN" => recorded.draft.actor == Actor::Operator.name(),
            _ => false,
        };
        is_news.then(|| NewConfirmation {
            // Due by the clock: a record time may lie a moment ahead of it.
            duty: kinds::confirmation(&registration.id, &to.platform, self.clock.now()),
            registration: registration.id.clone(),
            url: to.url.clone(),
            body: (self.settings.show)(registration).to_string(),
        })
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
