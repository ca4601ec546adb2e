//! One crawl: from the endpoint along the links to the end (P-11, F-08), within bounds.
//!
//! 20 000 pages of a hundred are twice what the largest European operator has in EVSEs, and 4 GB are four times what those take. A
//! server whose pages go in circles, or bring nothing new page after page, is left before that.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::Mirror;
use super::LEASE;
use super::page::{Page, one_earlier};
use crate::client::Method;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{Module, TOKENS};
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::time;
use crate::parties::line::{Call, Line, Target};
use crate::routing::directory::Platform;
use crate::store::{MirrorWrite, PullKey};

const MOST_PAGES: u32 = 20_000;
const MOST_BYTES: u64 = 4_000_000_000;
/// Pages in a row that bring nothing but what was seen: two can be deletions that shift a list, three are a circle.
const NOTHING_NEW: u32 = 3;
/// Objects asked for on a page; the server decides.
const PAGE: u32 = 100;
/// Where a server does not say what time it is, as far as clocks may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// What a crawl brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crawled {
    /// When the owner's server began to answer: what changes from then on is for the next time.
    pub(super) began: DateTime<Utc>,
    pages: u32,
    taken: u64,
    bad: u64,
    foreign: u64,
    removed: u64,
}

impl fmt::Display for Crawled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} pages, {} objects new or changed, {} not usable, {} of other owners, {} no longer listed",
            self.pages, self.taken, self.bad, self.foreign, self.removed
        )
    }
}

impl Mirror {
    /// Reads everything an owner lists since an instant, or everything, and keeps it.
    ///
    /// # Errors
    /// Why it broke off, in words. What was read before is kept.
    pub(super) async fn crawl(
        &self,
        platform: &Arc<Platform>,
        module: &'static Module,
        owner: &PartyId,
        key: &PullKey,
        lease_owner: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<Crawled, String> {
        let started = self.clock.now();
        let mut query = format!("offset=0&limit={PAGE}");
        if let Some(since) = since {
            query = format!("date_from={}&{query}", time::write(since));
        }
        let endpoint = Target::Module(module.identifier, InterfaceRole::Sender, Vec::new());
        let mut url = Line::address(platform, &endpoint, Some(&query)).map_err(|missing| missing.to_string())?;
        let correlation_id = Uuid::new_v4().to_string();
        let mut crawled = Crawled {
            began: started - SKEW,
            pages: 0,
            taken: 0,
            bad: 0,
            foreign: 0,
            removed: 0,
        };
        let (mut asked, mut seen) = (HashSet::new(), HashSet::new());
        let (mut bytes, mut stale, mut total) = (0_u64, 0, None);
        loop {
            if !asked.insert(hash(&url)) {
                return Err("its pages go in circles".to_owned());
            }
            let page = self.fetch(platform, owner, &url, &correlation_id).await?;
            crawled.pages += 1;
            bytes = bytes.saturating_add(page.length as u64);
            if crawled.pages > MOST_PAGES || bytes > MOST_BYTES {
                return Err(format!("it has no end after {} pages", crawled.pages));
            }
            if crawled.pages == 1
                && let Some(theirs) = page.timestamp
            {
                crawled.began = theirs.min(started) - TimeDelta::seconds(1);
            }
            let before = seen.len();
            let is_empty = page.elements.is_empty();
            self.take(module, owner, &page.elements, started, &mut seen, &mut crawled)
                .await?;
            stale = if is_empty || seen.len() > before { 0 } else { stale + 1 };
            if stale >= NOTHING_NEW {
                return Err("its pages bring nothing new".to_owned());
            }
            let now = self.clock.now();
            let still_ours = self.store.pull_renew(key.clone(), lease_owner, now + LEASE).await;
            if !still_ours.map_err(|error| error.to_string())? {
                return Err("another process took over".to_owned());
            }
            // P-11: something before this page was removed, so one object slipped past its beginning.
            let has_dropped = total.zip(page.total).is_some_and(|(before, now)| now < before);
            total = page.total.or(total);
            if has_dropped && let Some(earlier) = one_earlier(&url).filter(|url| !asked.contains(&hash(url))) {
                url = earlier;
                continue;
            }
            match page.next {
                Some(next) => url = next,
                None => break,
            }
        }
        // P-14: all pages together are the truth, unless some of it could not be read. Tokens are only added (TOK-15).
        if since.is_none() && crawled.bad == 0 && module != &TOKENS {
            crawled.removed = self
                .remove_absent(module, owner, &seen, crawled.began.min(started))
                .await?;
        }
        Ok(crawled)
    }

    async fn fetch(
        &self,
        platform: &Platform,
        owner: &PartyId,
        url: &str,
        correlation_id: &str,
    ) -> Result<Page, String> {
        let call = Call {
            method: Method::GET,
            to: Target::Url(url.to_owned()),
            query: None,
            routing: Some(Routing {
                to: Some(owner.clone()),
                from: Some(self.parties.settings().hub.clone()),
            }),
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(correlation_id.to_owned()),
            },
            body: None,
            headers: Vec::new(),
            timeout: Some(self.settings.page),
            max_answer: None,
        };
        match self.parties.line().send(platform, call).await {
            Ok(outcome) => Page::read(outcome, url),
            Err(missing) => Err(missing.to_string()),
        }
    }

    /// What was listed before, and is not any more, is gone. What came or changed since the crawl began is left alone: it may have been
    /// too late for the list.
    async fn remove_absent(
        &self,
        module: &'static Module,
        owner: &PartyId,
        seen: &HashSet<u64>,
        began: DateTime<Utc>,
    ) -> Result<u64, String> {
        let owner_key = owner.key();
        let (mut after, mut removed) = (String::new(), 0);
        loop {
            let listed = self
                .store
                .mirror_listed(module.identifier, &owner_key, &after, 500)
                .await;
            let listed = listed.map_err(|error| error.to_string())?;
            let Some(last) = listed.last() else {
                return Ok(removed);
            };
            after.clone_from(last);
            let absent: Vec<String> = listed.into_iter().filter(|key| !seen.contains(&hash(key))).collect();
            if absent.is_empty() {
                continue;
            }
            let rows = self.store.mirror_get_all(module.identifier, &owner_key, absent).await;
            let rows = rows.map_err(|error| error.to_string())?;
            let writes: Vec<MirrorWrite> = rows
                .into_iter()
                .filter(|row| row.last_updated < began && row.deleted_at.is_none())
                .map(|mut row| {
                    let replaces = Some(row.revision);
                    row.revision += 1;
                    row.deleted_at = Some(self.clock.now());
                    row.listed = false;
                    MirrorWrite {
                        row,
                        replaces,
                        copy: None,
                    }
                })
                .collect();
            removed += writes.len() as u64;
            self.store
                .mirror_write_all(writes)
                .await
                .map_err(|error| error.to_string())?;
        }
    }
}

impl Crawled {
    pub(super) fn took(&mut self, number: usize) {
        self.taken += number as u64;
    }

    pub(super) fn found_bad(&mut self) {
        self.bad += 1;
    }

    pub(super) fn found_foreign(&mut self) {
        self.foreign += 1;
    }
}

/// Eight bytes instead of an id: a million of them fit into memory, and among a million the chance of two alike is one in ten million.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
