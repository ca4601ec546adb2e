//! What the hub shows of what it knows: pages of all owners (R-75 … R-78), one object by its owner (D-18), one object by its id.
//!
//! A page is a range of the order in which objects came to be known. The same place gives the same page, as long as its objects are
//! there: what was removed leaves a gap, what changed stays where it was, what is new comes last (P-08). A page is bounded by number and by
//! weight ([`OCTETS`]); where the next one ends is decided with this one.

use super::Mirror;
use super::named::{Named, unknown};
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{Module, SESSIONS};
use crate::ocpi::page::PageQuery;
use crate::ocpi::patch;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::parties::{Failure, Fault};
use crate::routing::audience::visible_owners;
use crate::routing::directory::Directory;
use crate::store::{MirrorFilter, MirrorPlace, MirrorRow, PageSize};

/// Octets of all objects on a page together; one object stands alone where it has more. A hundred locations of twenty charge points each, the
/// largest pages seen, are half of it, and what a reader is sent stays below what anybody may send the hub.
pub const OCTETS: u64 = 4_000_000;

/// A page that is wanted.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// Of which module.
    pub module: &'static Module,
    /// Who reads: everybody the caller speaks for.
    pub readers: &'a [(PartyId, Role)],
    /// What is asked for; its offset counts only where there is no place.
    pub query: PageQuery,
    /// The place and the total of a crawl that is under way.
    pub crawl: Option<(MirrorPlace, u64)>,
    /// How many objects at most.
    pub limit: u32,
}

/// A page that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// The objects' octets, in order.
    pub bodies: Vec<String>,
    /// How many there were in all when the crawl began (P-06).
    pub total: u64,
    /// Where the next page is, unless this is the last (P-05).
    pub next: Option<MirrorPlace>,
    /// Whether it ends early because more would weigh too much.
    pub is_cut: bool,
}

impl Mirror {
    /// A page of everything these readers may see.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list(&self, directory: &Directory, listing: Listing<'_>) -> Result<Listed, Fault> {
        let query = listing.query;
        let nothing = Listed {
            bodies: Vec::new(),
            total: 0,
            next: None,
            is_cut: false,
        };
        let (shelves, only) = self.shelves(directory, listing.module, listing.readers);
        let filter = MirrorFilter {
            module: listing.module.identifier.to_owned(),
            shelves,
            only,
            date_from: query.date_from,
            date_to: query.date_to,
        };
        // D-10: a window that ends before it begins is empty.
        if filter.shelves.is_empty() || query.date_from.zip(query.date_to).is_some_and(|(from, to)| from >= to) {
            return Ok(nothing);
        }
        let (place, total) = match listing.crawl {
            Some((place, total)) => (place, total),
            None => {
                let total = self.store.mirror_count(filter.clone()).await;
                let total = total.map_err(|error| Fault::new("counting objects of the mirror", error))?;
                (MirrorPlace::Offset(query.offset), total)
            }
        };
        let size = PageSize {
            objects: listing.limit,
            octets: OCTETS,
        };
        let page = self.store.mirror_page(filter, place, size, total).await;
        let page = page.map_err(|error| Fault::new("listing objects of the mirror", error))?;
        Ok(Listed {
            bodies: page.items.into_iter().map(|item| item.body).collect(),
            total,
            next: page.next,
            is_cut: page.is_cut,
        })
    }

    /// Whose lists are read: those of the visible owners; of sessions the readers' own, and on them what is of owners that each reader
    /// may see as of now, whatever held when the session was kept (R-77, SES-20, D-17).
    fn shelves(
        &self,
        directory: &Directory,
        module: &Module,
        readers: &[(PartyId, Role)],
    ) -> (Vec<String>, Option<Vec<String>>) {
        if module != &SESSIONS {
            let owners = visible_owners(directory, module, readers);
            return (owners.iter().map(PartyId::key).collect(), None);
        }
        let (mut own, mut only) = (Vec::new(), Vec::new());
        for reader in readers.iter().filter(|_| self.settings.sessions) {
            let shelf = reader.0.key();
            let owners = visible_owners(directory, module, std::slice::from_ref(reader));
            only.extend(owners.iter().map(|owner| MirrorFilter::on(&shelf, &owner.key())));
            if !owners.is_empty() {
                own.push(shelf);
            }
        }
        own.sort();
        own.dedup();
        (own, Some(only))
    }

    /// One's own object, EVSE or connector as the hub keeps it, for its owner to compare (D-18, LOC-03).
    ///
    /// # Errors
    /// 404, with 2003 or 2004 where the module has such a code, for what is not here.
    pub async fn read_own(&self, named: &Named) -> Result<String, Failure> {
        let key = named.object_key()?;
        let row = self
            .store
            .mirror_get(named.module.identifier, &named.owner.key(), &key)
            .await
            .map_err(|error| Fault::new("reading an object of the mirror", error))?;
        let row = row.filter(|row| row.deleted_at.is_none());
        let found = row.and_then(|row| part(&row, named.ids.get(1..).unwrap_or_default()));
        found.ok_or_else(|| named.unknown().into())
    }

    /// An object by its id alone, of whichever owner the reader may see has one.
    ///
    /// # Errors
    /// 404 when nobody has it; 2001 when several have: then the owner must be addressed.
    pub async fn read_any(
        &self,
        directory: &Directory,
        module: &'static Module,
        reader: (PartyId, Role),
        ids: &[String],
    ) -> Result<String, Failure> {
        let key = ids.first().and_then(|id| Named::key(id, None));
        let Some(key) = key else {
            return Err(unknown(module, ids.len()).into());
        };
        let visible = visible_owners(directory, module, &[reader]);
        let found = self
            .store
            .mirror_find(module.identifier, &key, super::MANY)
            .await
            .map_err(|error| Fault::new("looking for an object of the mirror", error))?;
        let seen = |row: &&MirrorRow| visible.iter().any(|owner| owner.key() == row.owner_key);
        let parts: Vec<String> = found
            .iter()
            .filter(seen)
            .filter_map(|row| part(row, ids.get(1..).unwrap_or_default()))
            .collect();
        match <[String; 1]>::try_from(parts) {
            Ok([only]) => Ok(only),
            Err(none) if none.is_empty() => Err(unknown(module, ids.len()).into()),
            Err(_) => Err(Refusal::invalid_parameter(
                "several owners have an object of this id: OCPI-to-country-code and OCPI-to-party-id must name one",
            )
            .into()),
        }
    }
}

/// A location, one of its EVSEs, or one of its connectors, octet by octet.
fn part(row: &MirrorRow, below: &[String]) -> Option<String> {
    let mut octets = row.body.as_bytes();
    for (id, (list, id_member)) in below.iter().zip([("evses", "uid"), ("connectors", "id")]) {
        octets = patch::element(octets, list, id_member, id)?;
    }
    String::from_utf8(octets.to_vec()).ok()
}
