//! One reading of one list: from the endpoint along the links to the end (P-11, F-08), turn by turn, within bounds.
//!
//! 20 000 pages of a hundred are twice what the largest European operator has in EVSEs, and 4 GB are four times what those take. A
//! server whose pages go in circles, bring nothing new page after page, or are empty page after page is left before that. A turn ends after
//! the time of two slow pages: whoever is slow waits for the others, and goes on where it stopped.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

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
use crate::ocpi::versions::Version;
use crate::parties::line::{Call, Line, Target};
use crate::routing::directory::Platform;
use crate::seeing::Module as Seen;
use crate::store::{MirrorWrite, PullKey};

const MOST_PAGES: u32 = 20_000;
const MOST_BYTES: u64 = 4_000_000_000;
/// Pages in a row that bring nothing but what was seen: two can be deletions that shift a list, three are a circle.
const NOTHING_NEW: u32 = 3;
/// Empty pages in a row: a server that leaves gaps where objects were removed may have some, a hundred in a row are ten thousand removed objects.
const NOTHING: u32 = 100;
/// Objects asked for on a page; the server decides.
const PAGE: u32 = 100;
/// Where a server does not say what time it is, as far as clocks may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// What is read.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) platform: &'a Platform,
    pub(super) module: &'static Module,
    pub(super) owner: &'a PartyId,
    pub(super) key: &'a PullKey,
    /// Who reads: this process.
    pub(super) reader: &'a str,
}

impl List<'_> {
    /// What its objects are written in: the version the platform registered with. A platform that is connected has one.
    pub(super) fn version(&self) -> Version {
        self.platform.version.unwrap_or(Version::V2_2_1)
    }
}

/// How far a reading is, between its turns too. Of an object eight octets are remembered: 16 MB for the two million a list may have.
#[derive(Debug)]
pub(super) struct Reading {
    /// When the owner's server began to answer: what changes from then on is for the next time.
    pub(super) began: DateTime<Utc>,
    pub(super) started: DateTime<Utc>,
    /// The next page.
    url: String,
    correlation_id: String,
    is_whole: bool,
    asked: HashSet<u64>,
    seen: HashSet<u64>,
    bytes: u64,
    /// Pages in a row without anything new, and without anything.
    stale: u32,
    empty: u32,
    total: Option<u64>,
    pages: u32,
    taken: u64,
    bad: u64,
    foreign: u64,
    removed: u64,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Everything is read.
    Done,
    /// There is more; it goes on there in its next turn.
    More,
}

impl fmt::Display for Reading {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} pages, {} objects new or changed, {} not usable, {} of other owners, {} no longer listed",
            self.pages, self.taken, self.bad, self.foreign, self.removed
        )
    }
}

impl Mirror {
    /// Begins to read everything an owner lists since an instant, or everything.
    ///
    /// # Errors
    /// Why it cannot be asked, in words.
    pub(super) fn begin_reading(&self, list: &List<'_>, since: Option<DateTime<Utc>>) -> Result<Reading, String> {
        let started = self.clock.now();
        let mut query = format!("offset=0&limit={PAGE}");
        if let Some(since) = since {
            query = format!("date_from={}&{query}", time::write(since));
        }
        let endpoint = Target::Module(list.module.identifier, InterfaceRole::Sender, Vec::new());
        let url = Line::address(list.platform, &endpoint, Some(&query)).map_err(|missing| missing.to_string())?;
        Ok(Reading {
            began: started - SKEW,
            started,
            url,
            correlation_id: Uuid::new_v4().to_string(),
            is_whole: since.is_none(),
            asked: HashSet::new(),
            seen: HashSet::new(),
            bytes: 0,
            stale: 0,
            empty: 0,
            total: None,
            pages: 0,
            taken: 0,
            bad: 0,
            foreign: 0,
            removed: 0,
        })
    }

    /// Reads on for a turn, and keeps what it reads.
    ///
    /// # Errors
    /// Why it broke off, in words. What was read before is kept.
    pub(super) async fn read_on(&self, list: &List<'_>, reading: &mut Reading) -> Result<Turn, String> {
        let begun = Instant::now();
        // Two slow pages: less would be a turn for one.
        let turn = self.settings.page.saturating_mul(2);
        while self.read_page(list, reading).await? == Turn::More {
            if begun.elapsed() >= turn {
                return Ok(Turn::More);
            }
        }
        // P-14: all pages together are the truth, unless some of it could not be read. Tokens are only added (TOK-15).
        if reading.is_whole && reading.bad == 0 && list.module != &TOKENS {
            let began = reading.began.min(reading.started);
            reading.removed = self
                .remove_absent(list.module, list.owner, &reading.seen, began)
                .await?;
        }
        Ok(Turn::Done)
    }

    /// It is still this process that reads, for another lease.
    ///
    /// # Errors
    /// When it is not, in words.
    pub(super) async fn keep_reading(&self, list: &List<'_>) -> Result<(), String> {
        let until = self.clock.now() + LEASE;
        let still_ours = self.store.pull_renew(list.key.clone(), list.reader, until).await;
        match still_ours.map_err(|error| error.to_string())? {
            true => Ok(()),
            false => Err("another process took over".to_owned()),
        }
    }

    async fn read_page(&self, list: &List<'_>, reading: &mut Reading) -> Result<Turn, String> {
        if !reading.asked.insert(hash(&reading.url)) {
            return Err("its pages go in circles".to_owned());
        }
        let page = self.fetch(list, &reading.url, &reading.correlation_id).await?;
        reading.pages += 1;
        reading.bytes = reading.bytes.saturating_add(page.length as u64);
        if reading.pages > MOST_PAGES || reading.bytes > MOST_BYTES {
            return Err(format!("it has no end after {} pages", reading.pages));
        }
        if reading.pages == 1
            && let Some(theirs) = page.timestamp
        {
            reading.began = theirs.min(reading.started) - TimeDelta::seconds(1);
        }
        let before = reading.seen.len();
        self.take(list, &page.elements, reading).await?;
        reading.progress(page.elements.is_empty(), reading.seen.len() > before)?;
        self.keep_reading(list).await?;
        // P-11: something before this page was removed, so one object slipped past its beginning.
        let has_dropped = reading.total.zip(page.total).is_some_and(|(before, now)| now < before);
        reading.total = page.total.or(reading.total);
        if has_dropped
            && let Some(earlier) = one_earlier(&reading.url).filter(|url| !reading.asked.contains(&hash(url)))
        {
            reading.url = earlier;
            return Ok(Turn::More);
        }
        match page.next {
            Some(next) => {
                reading.url = next;
                Ok(Turn::More)
            }
            None => Ok(Turn::Done),
        }
    }

    async fn fetch(&self, list: &List<'_>, url: &str, correlation_id: &str) -> Result<Page, String> {
        let call = Call {
            method: Method::GET,
            to: Target::Url(Seen::named(list.module.identifier), url.to_owned()),
            query: None,
            routing: Some(Routing {
                to: Some(list.owner.clone()),
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
        match self.parties.line().send(list.platform, call).await {
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
                        missed: Vec::new(),
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

impl Reading {
    /// Whether it is worth going on after a page.
    fn progress(&mut self, is_empty: bool, is_news: bool) -> Result<(), String> {
        self.empty = if is_empty { self.empty + 1 } else { 0 };
        if !is_empty {
            self.stale = if is_news { 0 } else { self.stale + 1 };
        }
        if self.stale >= NOTHING_NEW {
            return Err("its pages bring nothing new".to_owned());
        }
        if self.empty >= NOTHING {
            return Err(format!("its last {NOTHING} pages are empty"));
        }
        Ok(())
    }

    pub(super) fn saw(&mut self, object_key: &str) {
        self.seen.insert(hash(object_key));
    }

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
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
