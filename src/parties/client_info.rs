//! ClientInfo: what the hub tells every platform about the parties it can communicate with (HubClientInfo, 1.10).
//!
//! ```text
//!  every change of the directory ──► compare with what everybody was told ──► one commit: records, views, duties to tell
//!  (handshake, DELETE, operator, presence, agreements)                        (whichever process is first)
//! ```
//!
//! There is one record per party and role, never deleted (HCI-03, HCI-11). What a platform sees of it is its own *view*: nothing about
//! itself, only parties of the opposite side, only with an agreement (HCI-06, R-48). Who could see a record and may no longer is
//! told SUSPENDED once and hears nothing more of it. `last_updated` moves only with the status (HCI-10).
//!
//! A platform that registers for the first time is given its list without being told each line: it reads it (HCI-01), and is told
//! of every change from then on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::PoisonError;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use uuid::Uuid;

use super::{Caller, Failure, Fault, Parties};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::{self, Kind};
use crate::ocpi::page::{self, PageQuery};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::time;
use crate::ocpi::url;
use crate::ocpi::versions::Version;
use crate::routing::agreements::Agreements;
use crate::routing::directory::{Directory, PlatformStatus};
use crate::routing::sides;
use crate::store::outbox::NewDuty;
use crate::store::{ClientInfoChange, ClientInfoRow, ClientInfoState, ClientViewRow, Shown};

/// The kind of a duty to tell, as the outbox names it.
pub const DUTY: &str = "clientinfo";

/// How long telling is tried while a platform is there and does not take it: after a week without one success it reads the list, if
/// it wants to know.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(7);

/// A page of ClientInfo.
#[derive(Clone, Debug)]
pub struct ClientInfoPage {
    /// The JSON list.
    pub data: String,
    /// How many match in all (P-06).
    pub total: u64,
    /// How many a page holds at most (P-07, D-10).
    pub limit: u32,
    /// The URL of the next page, unless this is the last (P-05).
    pub next: Option<String>,
}

impl Parties {
    /// A page of what the caller's platform is told (HCI-01), in the order of creation; never deleted, so offsets are stable.
    ///
    /// # Errors
    /// 2001 for a query that is none (P-10).
    pub async fn client_info(
        &self,
        caller: &Caller,
        version: Version,
        query: &str,
        max_limit: u32,
    ) -> Result<ClientInfoPage, Failure> {
        let asked = PageQuery::read(query)?;
        let limit = asked.limit.unwrap_or(max_limit).min(max_limit);
        let (platform, from, to) = (caller.platform.id.as_str(), asked.date_from, asked.date_to);
        let total = self
            .store
            .client_info_count(platform, from, to)
            .await
            .map_err(|error| Fault::new("counting ClientInfo", error))?;
        let rows = self
            .store
            .client_info_page(platform, from, to, asked.offset, limit)
            .await
            .map_err(|error| Fault::new("listing ClientInfo", error))?;
        let after = asked.offset.saturating_add(u64::from(limit));
        Ok(ClientInfoPage {
            data: format!("[{}]", rows.iter().map(write).collect::<Vec<_>>().join(",")),
            total,
            limit,
            next: (after < total).then(|| self.next_page(version, query, after, limit)),
        })
    }

    fn next_page(&self, version: Version, query: &str, offset: u64, limit: u32) -> String {
        let base = url::join(&self.settings.public_url, &["ocpi", version.as_str(), "hubclientinfo"]);
        let mut next = ::url::form_urlencoded::Serializer::new(String::new());
        for filter in ["date_from", "date_to"] {
            if let Some(value) = page::parameter(query, filter) {
                next.append_pair(filter, &value);
            }
        }
        next.append_pair("offset", &offset.to_string());
        next.append_pair("limit", &limit.to_string());
        url::with_query(&base, &next.finish())
    }

    /// Compares what is written down with what everybody was told, and commits the difference together with the duties to tell. Done
    /// once per revision of the directory, by whichever process comes first.
    pub(super) async fn tell_changes(&self, directory: &Directory, revision: i64) -> Result<(), Fault> {
        let fault = |error| Fault::new("comparing ClientInfo with the directory", error);
        let wanted = Wanted::of(directory);
        for _ in 0..ATTEMPTS {
            let compared = self.store.client_info_compared().await.map_err(fault)?;
            if compared >= revision {
                return Ok(());
            }
            let unchanged = {
                let last = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                last.as_ref()
                    .is_some_and(|(at, last)| *at == compared && *last == wanted)
            };
            let mut change = if unchanged {
                // A token or a name: nothing anybody is told of.
                ClientInfoChange::default()
            } else {
                let state = self.store.client_info_state().await.map_err(fault)?;
                if state.compared != compared {
                    continue;
                }
                compare(&wanted, &state, self.now())
            };
            (change.expected, change.compared) = (compared, revision);
            if self.store.client_info_commit(change).await.map_err(fault)? {
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, wanted));
                return Ok(());
            }
        }
        Err(Fault::found("ClientInfo changes faster than it can be compared"))
    }
}

const ATTEMPTS: usize = 20;

/// A ClientInfo object as it is sent (HCI-01, HCI-02).
#[must_use]
pub fn write(shown: &Shown) -> String {
    serde_json::json!({
        "party_id": shown.party_id,
        "country_code": shown.country_code,
        "role": shown.role,
        "status": shown.status,
        "last_updated": time::write(shown.last_updated),
    })
    .to_string()
}

/// Everything of a directory that ClientInfo depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    roles: BTreeMap<(String, &'static str), Listed>,
    readers: Vec<Reader>,
    agreements: Agreements,
    /// Module ids that an agreement may be about.
    modules: Vec<String>,
}

/// A party in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    party: PartyId,
    role: Role,
    platform: PlatformId,
    status: PlatformStatus,
}

/// A platform that may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reader {
    platform: PlatformId,
    registered: bool,
    listens: bool,
    roles: Vec<(PartyId, Role)>,
}

impl Wanted {
    fn of(directory: &Directory) -> Wanted {
        let mut roles = BTreeMap::new();
        let mut readers = Vec::new();
        for platform in directory.platforms() {
            for entry in &platform.parties {
                let listed = Listed {
                    party: entry.party.clone(),
                    role: entry.role,
                    platform: platform.id.clone(),
                    status: entry.status,
                };
                roles.insert((entry.party.key(), entry.role.as_str()), listed);
            }
            let registered = platform.parties.iter().filter(|entry| entry.status.is_registered());
            readers.push(Reader {
                platform: platform.id.clone(),
                registered: platform.status.is_registered(),
                listens: platform.endpoint("hubclientinfo", InterfaceRole::Receiver).is_some(),
                roles: registered.map(|entry| (entry.party.clone(), entry.role)).collect(),
            });
        }
        let functional = modules::MODULES.iter().filter(|module| module.kind == Kind::Functional);
        let named = directory
            .agreements
            .rules
            .iter()
            .flat_map(|rule| rule.modules.iter().cloned());
        Wanted {
            roles,
            readers,
            agreements: directory.agreements.clone(),
            modules: functional
                .map(|module| module.identifier.to_owned())
                .chain(named)
                .collect(),
        }
    }

    /// Whether a platform may know of a role: on another platform, on the opposite side of one of its own roles, with an agreement.
    fn sees(&self, reader: &Reader, listed: &Listed) -> bool {
        let modules = self.modules.iter().map(String::as_str).collect::<Vec<_>>();
        listed.platform != reader.platform
            && reader.roles.iter().any(|(party, role)| {
                sides::are_opposite(*role, listed.role)
                    && self.agreements.allow_anything(party, &listed.party, &modules)
            })
    }
}

/// The difference between what is and what everybody was told. Pure.
fn compare(wanted: &Wanted, state: &ClientInfoState, now: DateTime<Utc>) -> ClientInfoChange {
    // What is sent has milliseconds: a peer that asks for what changed since then must find it.
    let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
    let mut change = ClientInfoChange {
        at: now,
        ..ClientInfoChange::default()
    };
    let records = records(wanted, state, now, &mut change);
    let views: HashMap<(&str, &str), &ClientViewRow> = state
        .views
        .iter()
        .map(|view| ((view.platform_id.as_str(), view.client_info.as_str()), view))
        .collect();
    let known: HashSet<&str> = state.readers.iter().map(String::as_str).collect();
    for reader in &wanted.readers {
        let id = reader.platform.as_str();
        if !(reader.registered && reader.listens) {
            change.untold.push(id.to_owned());
        }
        if !reader.registered {
            // It is told nothing; what changes meanwhile it learns when it is back.
            continue;
        }
        let is_new = !known.contains(id);
        if is_new {
            change.readers.push(id.to_owned());
        }
        for (row, listed) in &records {
            let status = listed
                .filter(|listed| wanted.sees(reader, listed))
                .map(|listed| listed.status);
            let before = views.get(&(id, row.id.as_str())).copied();
            let Some(view) = next_view(id, row, status, before, is_new, now) else {
                continue;
            };
            if reader.listens && !is_new {
                change.duties.push(duty(&view, now));
            }
            change.views.push(view);
        }
    }
    let there: HashSet<&str> = wanted.readers.iter().map(|reader| reader.platform.as_str()).collect();
    change.gone = state
        .readers
        .iter()
        .filter(|id| !there.contains(id.as_str()))
        .cloned()
        .collect();
    change
}

/// All records in the order of creation, as they are from now on, with the role they stand for where it is still listed.
fn records<'a>(
    wanted: &'a Wanted,
    state: &ClientInfoState,
    now: DateTime<Utc>,
    change: &mut ClientInfoChange,
) -> Vec<(ClientInfoRow, Option<&'a Listed>)> {
    let mut records = Vec::new();
    let mut known = HashSet::new();
    for row in &state.records {
        let listed = PartyId::new(&row.country_code, &row.party_id)
            .ok()
            .zip(Role::parse(&row.role))
            .and_then(|(party, role)| wanted.roles.get(&(party.key(), role.as_str())));
        if let Some(listed) = listed {
            known.insert((listed.party.key(), listed.role.as_str()));
        }
        let next = following(row, listed, now);
        if next != *row {
            change.records.push(next.clone());
        }
        records.push((next, listed));
    }
    // CPO first, so that the roles of a party are created in the order in which they are told (D-21).
    let mut new: Vec<_> = wanted.roles.iter().filter(|(key, _)| !known.contains(*key)).collect();
    new.sort_by_key(|((party, role), _)| (*role != "CPO", party.clone(), *role));
    for (_, listed) in new {
        let row = ClientInfoRow {
            id: Uuid::now_v7().to_string(),
            country_code: listed.party.country_code().to_owned(),
            party_id: listed.party.party_id().to_owned(),
            role: listed.role.as_str().to_owned(),
            status: listed.status.as_str().to_owned(),
            last_updated: now,
        };
        change.records.push(row.clone());
        records.push((row, Some(listed)));
    }
    records
}

/// A record after the change. A role that is listed nowhere any more is SUSPENDED (HCI-03).
fn following(row: &ClientInfoRow, listed: Option<&Listed>, now: DateTime<Utc>) -> ClientInfoRow {
    let mut next = row.clone();
    let status = listed.map_or(PlatformStatus::Suspended, |listed| listed.status);
    if let Some(listed) = listed {
        // The spelling last registered (D-04).
        listed.party.country_code().clone_into(&mut next.country_code);
        listed.party.party_id().clone_into(&mut next.party_id);
    }
    if status.as_str() != row.status {
        status.as_str().clone_into(&mut next.status);
        next.last_updated = now;
    }
    next
}

/// The view after the change; `None` when it stays as it is, or absent.
fn next_view(
    platform: &str,
    row: &ClientInfoRow,
    status: Option<PlatformStatus>,
    before: Option<&ClientViewRow>,
    is_new: bool,
    now: DateTime<Utc>,
) -> Option<ClientViewRow> {
    let told = |status: PlatformStatus, last_updated, revision| ClientViewRow {
        platform_id: platform.to_owned(),
        client_info: row.id.clone(),
        status: status.as_str().to_owned(),
        last_updated,
        revision,
    };
    match (before, status) {
        (None, None) => None,
        (None, Some(status)) => Some(told(status, if is_new { row.last_updated } else { now }, 1)),
        (Some(before), status) => {
            let status = status.unwrap_or(PlatformStatus::Suspended);
            (before.status != status.as_str()).then(|| told(status, now, before.revision.saturating_add(1)))
        }
    }
}

fn duty(view: &ClientViewRow, now: DateTime<Utc>) -> NewDuty {
    NewDuty {
        id: Uuid::now_v7().to_string(),
        platform_id: view.platform_id.clone(),
        kind: DUTY.to_owned(),
        object_id: view.client_info.clone(),
        revision: view.revision,
        lease_owner: String::new(),
        lease_until: DateTime::UNIX_EPOCH,
        next_attempt_at: now,
        give_up_at: now + GIVE_UP_AFTER,
        created_at: now,
    }
}
