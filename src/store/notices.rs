//! What platforms are told through the hub's own custom modules, and the Sessions providers are shown: a message beside its duty. And how far
//! the registry's log was told.
//!
//! A notice is a state, not an event: while one about the same object is owed to the same platform, a newer one takes its place. It is
//! written with what it is about, or with the place of the log it was read from, so that none is lost and none is made twice.

use diesel::{Insertable, Queryable, Selectable};

use super::outbox::{DutyRecord, NewDuty};
use super::schema::{notices, outbox, registration_names, revisions};
use super::{Store, StoreError, ask, both, change};

/// A message to be owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// To whom, about what, until when.
    pub duty: NewDuty,
    /// The message.
    pub message: Message,
}

/// A message to the RECEIVER interface of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The module's id, as peers list it.
    pub identifier: String,
    /// The HTTP method.
    pub method: String,
    /// The segments behind the receiver's URL, not encoded.
    pub path: Vec<String>,
    /// The party it is for, as `DE/ABC`.
    pub to_party: String,
    /// What it is about, for people and the journal.
    pub object: String,
    /// The body.
    pub body: String,
    /// Whose it is, where it is not the hub's own.
    pub shown: Option<UnderContract>,
}

/// Somebody's object that a contract lets another see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderContract {
    /// In whose name, as `DE/ABC`.
    pub from_party: String,
    /// Under which contract.
    pub contract: String,
    /// Where the body is a change: the whole object, for who does not know the rest. In the place of an older message it is what is owed.
    pub whole: Option<String>,
}

/// A message that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// The message as it stands.
    pub message: Message,
    /// Its revision: what is settled.
    pub revision: i64,
}

impl Store {
    /// Up to which place of the registry's log partners were told.
    pub async fn publickeys_cursor(&self) -> Result<i64, StoreError> {
        ask!(self, cursor())
    }

    /// Owes what the log says from behind `after` up to and including `to`. `false` when somebody else did: then nothing is written.
    pub async fn publickeys_enter(&self, after: i64, to: i64, new: Vec<NewNotice>) -> Result<bool, StoreError> {
        let records: Vec<(DutyRecord, NoticeRecord)> =
            new.into_iter().map(records).collect::<Result<_, StoreError>>()?;
        change!(self, enter(after, to, records))
    }

    /// The message of a duty. `None` when it is owed no more.
    pub async fn notice(&self, duty_id: &str) -> Result<Option<NoticeRow>, StoreError> {
        let duty_id = duty_id.to_owned();
        let Some((record, revision)) = ask!(self, owed(duty_id))? else {
            return Ok(None);
        };
        Ok(Some(NoticeRow {
            message: record.read()?,
            revision,
        }))
    }

    /// The registration an operator calls so; `own_key` is the id without case.
    pub async fn registration_named(&self, cpo_key: &str, own_key: &str) -> Result<Option<String>, StoreError> {
        let (cpo_key, own_key) = (cpo_key.to_owned(), own_key.to_owned());
        ask!(self, named(cpo_key, own_key))
    }

    /// What its operator calls a registration.
    pub async fn name_of_registration(&self, registration: &str) -> Result<Option<String>, StoreError> {
        let registration = registration.to_owned();
        ask!(self, name_of(registration))
    }

    /// Gives a name to a registration, in the place of `instead_of` where there was one, and returns whose it is now: another process may
    /// have been quicker.
    pub async fn registration_name(
        &self,
        cpo_key: &str,
        own_key: &str,
        own_id: &str,
        registration: &str,
        instead_of: Option<&str>,
    ) -> Result<String, StoreError> {
        let record = NameRecord {
            cpo_key: cpo_key.to_owned(),
            own_key: own_key.to_owned(),
            own_id: own_id.to_owned(),
            registration: registration.to_owned(),
        };
        let instead_of = instead_of.map(str::to_owned);
        change!(self, name(record, instead_of))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = notices)]
pub(in crate::store) struct NoticeRecord {
    duty: String,
    identifier: String,
    method: String,
    path: String,
    to_party: String,
    object: String,
    body: String,
    from_party: Option<String>,
    contract: Option<String>,
    whole: Option<String>,
}

#[derive(Clone, Insertable)]
#[diesel(table_name = registration_names)]
struct NameRecord {
    cpo_key: String,
    own_key: String,
    own_id: String,
    registration: String,
}

/// The counter up to which the log was told.
const CURSOR: &str = "publickeys";

both! {
    pub(super) async fn cursor(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(revisions::table.filter(revisions::name.eq(CURSOR)).select(revisions::value).first(c).await?)
    }

    pub(super) async fn enter(
        c: &mut Connection,
        after: &i64,
        to: &i64,
        records: &[(DutyRecord, NoticeRecord)],
    ) -> Result<bool, StoreError> {
        let cursor = revisions::table.filter(revisions::name.eq(CURSOR)).filter(revisions::value.eq(*after));
        if diesel::update(cursor).set(revisions::value.eq(*to)).execute(c).await? == 0 {
            return Ok(false);
        }
        for (duty, notice) in records {
            owe(c, duty, notice).await?;
        }
        Ok(true)
    }

    /// A newer state takes the place of the older one. An attempt under way keeps its lease, so that the older state cannot arrive after the
    /// newer one.
    pub(in crate::store) async fn owe(
        c: &mut Connection,
        duty: &DutyRecord,
        notice: &NoticeRecord,
    ) -> Result<(), StoreError> {
        let older = || outbox::table
            .filter(outbox::platform_id.eq(&duty.platform_id))
            .filter(outbox::kind.eq(&duty.kind))
            .filter(outbox::object_id.eq(&duty.object_id));
        let newer = (
            outbox::revision.eq(outbox::revision + 1),
            outbox::state.eq("owed"),
            outbox::attempts.eq(0),
            outbox::next_attempt_at.eq(duty.next_attempt_at),
            outbox::give_up_at.eq(duty.give_up_at),
            outbox::last_outcome.eq(None::<String>),
        );
        if diesel::update(older()).set(newer).execute(c).await? == 0 {
            diesel::insert_into(outbox::table).values(duty).execute(c).await?;
            diesel::insert_into(notices::table).values(notice).execute(c).await?;
            return Ok(());
        }
        let id: String = older().select(outbox::id).first(c).await?;
        diesel::delete(notices::table.filter(notices::duty.eq(&id))).execute(c).await?;
        let notice = NoticeRecord { duty: id, ..notice.clone().without_the_older() };
        diesel::insert_into(notices::table).values(&notice).execute(c).await?;
        Ok(())
    }

    /// The revision first: what is read with it is that revision or a newer one, and a newer one is not settled by it.
    pub(super) async fn owed(c: &mut Connection, duty_id: &str) -> Result<Option<(NoticeRecord, i64)>, StoreError> {
        let revision: Option<i64> =
            outbox::table.filter(outbox::id.eq(duty_id)).select(outbox::revision).first(c).await.optional()?;
        let query = notices::table.filter(notices::duty.eq(duty_id)).select(NoticeRecord::as_select());
        let notice: Option<NoticeRecord> = query.first(c).await.optional()?;
        Ok(notice.zip(revision))
    }

    /// The message goes with its duty.
    pub(in crate::store) async fn forget(c: &mut Connection, duty_id: &str) -> Result<(), StoreError> {
        diesel::delete(notices::table.filter(notices::duty.eq(duty_id))).execute(c).await?;
        Ok(())
    }

    /// What is owed under a contract is not told any more: it ended, or says something else now.
    pub(in crate::store) async fn forget_under(c: &mut Connection, contract: &str) -> Result<(), StoreError> {
        let under = || notices::table.filter(notices::contract.eq(contract));
        let duties: Vec<String> = under().select(notices::duty).load(c).await?;
        for some in duties.chunks(500) {
            diesel::delete(outbox::table.filter(outbox::id.eq_any(some))).execute(c).await?;
        }
        diesel::delete(under()).execute(c).await?;
        Ok(())
    }

    pub(super) async fn named(c: &mut Connection, cpo_key: &str, own_key: &str) -> Result<Option<String>, StoreError> {
        let query = registration_names::table
            .filter(registration_names::cpo_key.eq(cpo_key))
            .filter(registration_names::own_key.eq(own_key));
        Ok(query.select(registration_names::registration).first(c).await.optional()?)
    }

    pub(super) async fn name_of(c: &mut Connection, registration: &str) -> Result<Option<String>, StoreError> {
        let query = registration_names::table
            .filter(registration_names::registration.eq(registration))
            .order(registration_names::own_key.asc());
        Ok(query.select(registration_names::own_id).first(c).await.optional()?)
    }

    pub(super) async fn name(
        c: &mut Connection,
        record: &NameRecord,
        instead_of: &Option<String>,
    ) -> Result<String, StoreError> {
        if let Some(old) = instead_of {
            let old = registration_names::table
                .filter(registration_names::cpo_key.eq(&record.cpo_key))
                .filter(registration_names::own_key.eq(&record.own_key))
                .filter(registration_names::registration.eq(old));
            let new = registration_names::registration.eq(&record.registration);
            diesel::update(old).set(new).execute(c).await?;
        }
        let insert = diesel::insert_into(registration_names::table).values(record);
        insert.on_conflict_do_nothing().execute(c).await?;
        let kept = named(c, &record.cpo_key, &record.own_key).await?;
        kept.ok_or_else(|| StoreError::Conflict("the name of a registration was taken away".to_owned()))
    }
}

/// A notice as rows.
pub(in crate::store) fn records(new: NewNotice) -> Result<(DutyRecord, NoticeRecord), StoreError> {
    let path = serde_json::to_string(&new.message.path)
        .map_err(|cause| StoreError::corrupt_because("writing the path of a notice", cause))?;
    let notice = NoticeRecord {
        duty: new.duty.id.clone(),
        identifier: new.message.identifier,
        method: new.message.method,
        path,
        to_party: new.message.to_party,
        object: new.message.object,
        body: new.message.body,
        from_party: new.message.shown.as_ref().map(|shown| shown.from_party.clone()),
        contract: new.message.shown.as_ref().map(|shown| shown.contract.clone()),
        whole: new.message.shown.and_then(|shown| shown.whole),
    };
    Ok((DutyRecord::from(new.duty), notice))
}

impl NoticeRecord {
    /// The same for who was not told what was to be told before: a change is told as the whole.
    fn without_the_older(mut self) -> NoticeRecord {
        if let Some(whole) = self.whole.take() {
            (self.method, self.body) = ("PUT".to_owned(), whole);
        }
        self
    }

    fn read(self) -> Result<Message, StoreError> {
        Ok(Message {
            identifier: self.identifier,
            method: self.method,
            path: serde_json::from_str(&self.path)
                .map_err(|cause| StoreError::corrupt_because("reading the path of a notice", cause))?,
            to_party: self.to_party,
            object: self.object,
            body: self.body,
            shown: match (self.from_party, self.contract) {
                (Some(from_party), Some(contract)) => Some(UnderContract {
                    from_party,
                    contract,
                    whole: self.whole,
                }),
                _ => None,
            },
        })
    }
}
