//! The mirror filled as the hub fills it, many objects to a commit.

use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta};

use crate::cli::bench::template::{HOLE, Template};
use crate::cli::{NotDone, with_causes};
use crate::clock::{Clock, SystemClock};
use crate::mirror::intake::{self, Push};
use crate::mirror::named::Named;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::LOCATIONS;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::versions::Version;
use crate::sandbox::Draft;
use crate::store::{MirrorWrite, Store, Written};

/// Objects in one commit: enough that its cost does not count, few enough for the memory of a statement.
const COMMIT: usize = 500;

/// What is kept: location after location, in turn of each owner.
pub struct Shelves {
    owners: Vec<(PartyId, Template)>,
    objects: usize,
}

impl Shelves {
    /// So many locations of these owners.
    #[must_use]
    pub fn of(owners: Vec<PartyId>, objects: usize) -> Shelves {
        let at = SystemClock.now().trunc_subsecs(0) - TimeDelta::hours(1);
        let template = |owner: PartyId| {
            let template = Template::of(&Draft::location(&owner, HOLE, at));
            (owner, template)
        };
        Shelves {
            owners: owners.into_iter().map(template).collect(),
            objects,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// The octets of one; `None` for a number nobody has.
    #[must_use]
    pub fn object(&self, number: usize) -> Option<String> {
        let (_, template) = self.owner(number).filter(|_| number < self.objects)?;
        Some(template.fill(&[&id(number)]))
    }

    /// Puts all of them into the mirror in this database, which is brought up already. Returns how long that took.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn fill(&self, database: &str) -> Result<Duration, NotDone> {
        let failed = |error: crate::store::StoreError| NotDone::failed(with_causes(&error));
        let store = Store::open(database).await.map_err(failed)?;
        let started = Instant::now();
        let mut next = 0;
        while next < self.objects {
            let numbers = next..(next + COMMIT).min(self.objects);
            next = numbers.end;
            let writes = self.writes(numbers)?;
            let written = store.mirror_write_all(writes).await.map_err(failed)?;
            if written.contains(&Written::Overtaken) {
                return Err(NotDone::failed("the mirror already has what this run brings"));
            }
        }
        store.close().await;
        Ok(started.elapsed())
    }

    fn writes(&self, numbers: Range<usize>) -> Result<Vec<MirrorWrite>, NotDone> {
        numbers.map(|number| self.write(number)).collect()
    }

    /// What the hub makes of a first push of this object, checks included.
    fn write(&self, number: usize) -> Result<MirrorWrite, NotDone> {
        let owner = self.owner(number).map(|(owner, _)| owner);
        let (Some(owner), Some(body)) = (owner, self.object(number)) else {
            return Err(NotDone::failed("an object without an owner"));
        };
        let push = Push {
            named: Named {
                module: &LOCATIONS,
                owner: owner.clone(),
                ids: vec![id(number)],
                token_type: None,
            },
            method: "PUT",
            version: Version::V2_2_1,
            body: Some(body.into()),
        };
        let refused = |refusal: Refusal| NotDone::failed(refusal.message);
        let state = intake::next(&push, None).map_err(refused)?;
        let row = state.first(&push).map_err(refused)?;
        Ok(MirrorWrite {
            row,
            replaces: None,
            copy: None,
            missed: Vec::new(),
        })
    }

    fn owner(&self, number: usize) -> Option<&(PartyId, Template)> {
        self.owners.get(number % self.owners.len().max(1))
    }
}

fn id(number: usize) -> String {
    format!("L-{number}")
}
