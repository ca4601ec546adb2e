//! Waivers: an eMSP says for whom of its customers conformity is not needed, and from when until when (key-registry.md 4.1, SAF-37).
//!
//! A waiver is a document of the log like a registration: versioned, never deleted. Its scope and its begin stay what they were; only its end
//! is told later, and never for the time before it is told, because charging was allowed on its word. What it says is between the eMSP and
//! the hub: the log, which is for everybody, has the digest alone, and a salt in the document keeps anybody from guessing a contract id
//! until the digest fits.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Registry;
use super::commit::{Draft, Plan};
use super::record::instant;
use crate::ocpi::ids::{PartyId, fold};
use crate::store::StoreError;

/// For whom conformity is not needed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scope {
    /// The driver with this contract.
    Contract {
        /// `cdr_token.contract_id`, compared without case.
        contract_id: String,
    },
    /// Whoever charges on this tariff.
    Tariff {
        /// The id of the tariff, compared without case.
        tariff_id: String,
        /// The CPO whose tariff it is, `DE/ABC`; without, that id at any CPO.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpo: Option<String>,
    },
    /// All customers of the eMSP.
    All,
}

/// Without the contract: it names a driver.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Contract { .. } => "Contract(…)",
            Scope::Tariff { .. } => "Tariff(…)",
            Scope::All => "All",
        })
    }
}

/// One version of a waiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Its id, a UUID of the eMSP's making.
    pub id: String,
    /// From 1.
    pub version: u64,
    /// The eMSP, `DE/MSP`.
    pub emsp: String,
    /// For whom.
    pub scope: Scope,
    /// From when on, inclusive.
    #[serde(with = "instant")]
    pub from: DateTime<Utc>,
    /// Until when, exclusive; open-ended when absent.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// When it was first told.
    #[serde(with = "instant")]
    pub made_at: DateTime<Utc>,
    /// Random, and nobody's business: else the digest in the log would tell the contract to whoever tries all there are.
    pub salt: String,
}

/// The kind of document, as the log names it.
pub const KIND: &str = "waiver";

impl Waiver {
    /// As the log names it: whose it is, and its id.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.emsp, &self.id)
    }

    /// Whether it holds at that instant.
    #[must_use]
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.to.is_none_or(|end| at < end)
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// `Corrupt` when it is none: somebody else wrote into the database.
    pub fn read(document: &str) -> Result<Waiver, StoreError> {
        serde_json::from_str(document).map_err(|cause| StoreError::corrupt_because("reading a waiver", cause))
    }

    fn place(&self) -> Place {
        match &self.scope {
            Scope::Contract { contract_id } => Place::Contract(self.emsp.clone(), fold(contract_id)),
            Scope::Tariff { tariff_id, .. } => Place::Tariff(self.emsp.clone(), fold(tariff_id)),
            Scope::All => Place::All(self.emsp.clone()),
        }
    }
}

fn name_of(emsp: &str, id: &str) -> String {
    format!("{emsp}/{id}")
}

/// Who charges, as far as a waiver can be about it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// The eMSP that pays, `DE/MSP`.
    pub emsp: Option<String>,
    /// The contract.
    pub contract_id: Option<String>,
    /// The tariffs it was charged on, of the CPO of the CDR.
    pub tariff_ids: Vec<String>,
}

/// Without the contract: it names a driver.
impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("emsp", &self.emsp)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Contract(String, String),
    Tariff(String, String),
    All(String),
}

/// A version, and when the registry learned of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// When the registry learned of it.
    pub at: DateTime<Utc>,
    /// What it says.
    pub waiver: Arc<Waiver>,
}

/// Every waiver in memory: every CDR asks, and none may wait.
#[derive(Default)]
pub struct Waivers {
    /// By name, each with its versions, oldest first.
    all: BTreeMap<String, Vec<Told>>,
    places: HashMap<Place, Vec<String>>,
}

impl Waivers {
    /// Enters a version the registry learned of at `since`. Versions come in the order of the log.
    pub fn put(&mut self, waiver: Waiver, since: DateTime<Utc>) {
        let name = waiver.name();
        let versions = self.all.entry(name.clone()).or_default();
        if versions.is_empty() {
            // The scope is the same in all versions.
            self.places.entry(waiver.place()).or_default().push(name);
        }
        versions.push(Told {
            at: since,
            waiver: Arc::new(waiver),
        });
    }

    /// The newest version of a waiver.
    #[must_use]
    pub fn get(&self, emsp: &str, id: &str) -> Option<&Told> {
        self.all.get(&name_of(emsp, id))?.last()
    }

    /// Newest versions behind a name, in the order of names.
    pub fn after(&self, name: &str) -> impl Iterator<Item = &Told> {
        self.all
            .range::<str, _>((Bound::Excluded(name), Bound::Unbounded))
            .filter_map(|(_, versions)| versions.last())
    }

    /// The waiver of the eMSP that held when this customer began to charge, as known at an instant: the narrowest there is.
    #[must_use]
    pub fn of(
        &self,
        customer: &Customer,
        cpo_key: &str,
        began: DateTime<Utc>,
        known_at: DateTime<Utc>,
    ) -> Option<&Told> {
        // Most hubs have none: then nothing is folded for a CDR.
        if self.all.is_empty() {
            return None;
        }
        let emsp = fold(customer.emsp.as_deref()?);
        let contract = customer.contract_id.as_deref().map(fold);
        let contract = contract.map(|contract| Place::Contract(emsp.clone(), contract));
        let tariffs = customer.tariff_ids.iter();
        let tariffs = tariffs.map(|tariff| Place::Tariff(emsp.clone(), fold(tariff)));
        let places = contract.into_iter().chain(tariffs).chain([Place::All(emsp.clone())]);
        let named: Vec<&String> = places.filter_map(|place| self.places.get(&place)).flatten().collect();
        named.into_iter().find_map(|name| {
            let versions = self.all.get(name)?;
            let told = versions.iter().rev().find(|told| told.at <= known_at)?;
            let is_elsewhere = match &told.waiver.scope {
                Scope::Tariff { cpo: Some(cpo), .. } => cpo != cpo_key,
                _ => false,
            };
            (told.waiver.covers(began) && !is_elsewhere).then_some(told)
        })
    }
}

/// What an eMSP says: for whom, from when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWaiver {
    /// Its id.
    pub id: Uuid,
    /// The eMSP.
    pub emsp: PartyId,
    /// For whom.
    pub scope: Scope,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when, exclusive.
    pub to: Option<DateTime<Utc>>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Waived {
    /// It is new.
    New(Told),
    /// It was there, and ends at another time now.
    Changed(Told),
    /// It was there, and says the same.
    Same(Told),
}

/// Why it could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotWaived {
    /// The end is not after the begin.
    #[error("must be after from")]
    Empty,
    /// There is a waiver of that id for somebody else, or from another time on.
    #[error("a waiver keeps its scope and its begin; another one needs another id")]
    Another,
    /// It has ended.
    #[error("the waiver has ended; another one needs another id")]
    Ended,
    /// Ours.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Registry {
    /// Enters a waiver, or another end of one that has not ended. An end in the past ends it now: what was charged until then was charged on
    /// its word. Telling the same twice changes nothing.
    ///
    /// # Errors
    /// [`NotWaived`].
    pub async fn waive(&self, new: NewWaiver) -> Result<Waived, NotWaived> {
        let emsp = new.emsp.key();
        let (from, to) = (new.from.trunc_subsecs(6), new.to.map(|to| to.trunc_subsecs(6)));
        let id = new.id.to_string();
        let salt = Uuid::new_v4().simple().to_string();
        self.commit(|index, now| {
            let told = |waiver: Waiver| Told {
                at: now,
                waiver: Arc::new(waiver),
            };
            let Some(known) = index.waivers().get(&emsp, &id) else {
                if to.is_some_and(|to| to <= from) {
                    return Err(NotWaived::Empty);
                }
                let waiver = Waiver {
                    id: id.clone(),
                    version: 1,
                    emsp: emsp.clone(),
                    scope: new.scope.clone(),
                    from,
                    to,
                    made_at: now,
                    salt: salt.clone(),
                };
                return Ok(Plan {
                    drafts: vec![Draft::of_waiver(waiver.clone(), "WAIVED", &emsp)],
                    files: Vec::new(),
                    outcome: Waived::New(told(waiver)),
                });
            };
            let old = &known.waiver;
            if old.scope != new.scope || old.from != from {
                return Err(NotWaived::Another);
            }
            if old.to == to {
                return Ok(Plan::nothing(Waived::Same(known.clone())));
            }
            if let Some(end) = old.to.filter(|end| *end <= now) {
                // An end before the one it had: that is what it was told the first time, or nothing new.
                return match to {
                    Some(to) if to <= end => Ok(Plan::nothing(Waived::Same(known.clone()))),
                    _ => Err(NotWaived::Ended),
                };
            }
            let waiver = Waiver {
                version: old.version + 1,
                to: to.map(|to| to.max(now)),
                ..Waiver::clone(old)
            };
            let event = if to.is_some_and(|to| to <= now) {
                "WAIVER_ENDED"
            } else {
                "WAIVER_CHANGED"
            };
            Ok(Plan {
                drafts: vec![Draft::of_waiver(waiver.clone(), event, &emsp)],
                files: Vec::new(),
                outcome: Waived::Changed(told(waiver)),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::at;
    use super::super::record::text;
    use super::*;

    fn waiver(number: u8, scope: Scope, to: Option<&str>) -> Waiver {
        Waiver {
            id: number.to_string(),
            version: 1,
            emsp: "DE/MSP".to_owned(),
            scope,
            from: at("2026-02-01T00:00:00Z"),
            to: to.map(at),
            made_at: at("2026-02-01T00:00:00Z"),
            salt: "s".to_owned(),
        }
    }

    fn contract(id: &str) -> Scope {
        Scope::Contract {
            contract_id: id.to_owned(),
        }
    }

    fn tariff(id: &str, cpo: Option<&str>) -> Scope {
        Scope::Tariff {
            tariff_id: id.to_owned(),
            cpo: cpo.map(str::to_owned),
        }
    }

    fn customer(contract: &str, tariffs: &[&str]) -> Customer {
        Customer {
            emsp: Some("de/msp".to_owned()),
            contract_id: Some(contract.to_owned()),
            tariff_ids: tariffs.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    fn known(waivers: impl IntoIterator<Item = Waiver>) -> Waivers {
        let mut all = Waivers::default();
        for one in waivers {
            let since = one.made_at;
            all.put(one, since);
        }
        all
    }

    /// Whose waiver covers a charge of March, as known in May.
    fn of(all: &Waivers, customer: &Customer) -> Option<u8> {
        let (began, now) = (at("2026-03-01T00:00:00Z"), at("2026-05-01T00:00:00Z"));
        all.of(customer, "DE/ABC", began, now)
            .map(|told| told.waiver.id.parse().unwrap())
    }

    // SAF-37
    #[test]
    fn a_waiver_is_found_for_its_contract_its_tariff_or_everybody_and_for_nobody_else() {
        let all = known([
            waiver(1, contract("DE-MSP-C1"), None),
            waiver(2, tariff("FLAT", Some("DE/ABC")), None),
            waiver(3, tariff("OTHER", Some("DE/XYZ")), None),
        ]);
        assert_eq!(of(&all, &customer("de-msp-c1", &["FLAT"])), Some(1), "the narrowest");
        assert_eq!(of(&all, &customer("C2", &["flat"])), Some(2));
        assert_eq!(of(&all, &customer("C2", &["OTHER"])), None, "another operator's tariff");
        assert_eq!(of(&all, &customer("C2", &[])), None);
        let another = Customer {
            emsp: Some("DE/XYZ".to_owned()),
            ..customer("DE-MSP-C1", &["FLAT"])
        };
        assert_eq!(of(&all, &another), None, "another eMSP's customer");
        assert_eq!(of(&all, &Customer::default()), None);
        let all = known([waiver(4, Scope::All, None)]);
        assert_eq!(of(&all, &customer("C2", &[])), Some(4));
    }

    #[test]
    fn what_was_known_then_is_what_counts_also_after_it_was_ended() {
        let mut all = known([waiver(1, Scope::All, None)]);
        let ended = Waiver {
            version: 2,
            ..waiver(1, Scope::All, Some("2026-02-15T00:00:00Z"))
        };
        all.put(ended, at("2026-04-01T00:00:00Z"));
        let (began, customer) = (at("2026-03-01T00:00:00Z"), customer("C1", &[]));
        let versions = |known_at: &str| {
            all.of(&customer, "DE/ABC", began, at(known_at))
                .map(|told| told.waiver.version)
        };
        assert_eq!(versions("2026-01-31T00:00:00Z"), None, "nobody knew of it");
        assert_eq!(versions("2026-03-31T00:00:00Z"), Some(1));
        assert_eq!(versions("2026-04-01T00:00:00Z"), None);
        assert_eq!(all.after("").count(), 1);
    }

    #[test]
    fn a_contract_is_in_the_document_and_in_no_debug_output() {
        let waiver = waiver(1, contract("DE-MSP-C1"), Some("2026-03-01T00:00:00Z"));
        let document = text(&waiver).unwrap();
        assert!(document.contains("DE-MSP-C1"));
        assert_eq!(Waiver::read(&document).unwrap(), waiver);
        for shown in [format!("{waiver:?}"), format!("{:?}", customer("DE-MSP-C1", &[]))] {
            assert!(!shown.contains("C1"), "{shown}");
        }
    }
}
