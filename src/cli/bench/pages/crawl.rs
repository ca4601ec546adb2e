//! One provider reads everything, page by page along the `Link`s, and holds it against what the owners wrote.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fill::Shelves;
use crate::cli::NotDone;
use crate::cli::bench::hub::{plain, with_ids};
use crate::cli::bench::load::Line;
use crate::cli::bench::tally::number_of;
use crate::ocpi::{page, url};
use crate::sandbox::wire::{self, Response};

/// Who reads.
pub struct Reader<'a> {
    /// Token and routing.
    pub headers: Vec<(String, String)>,
    /// The URL of the first page.
    pub begin: String,
    /// What should be there.
    pub shelves: &'a Shelves,
}

/// What one crawl found.
#[derive(Default)]
pub struct Crawl {
    /// How long each page took, from the first octet of the request to the last of the answer.
    pub times: Vec<Duration>,
    /// Objects that were there.
    pub listed: usize,
    /// Objects that were there again.
    pub twice: usize,
    /// Objects that nobody wrote.
    pub strangers: usize,
    /// Objects with other octets than their owner wrote.
    pub spoilt: usize,
    /// Pages that said another number of objects than there are (P-06).
    pub miscounted: usize,
    /// Pages that were others when their URL was asked again.
    pub changed: usize,
}

/// A page, as far as a crawl needs it.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Reader<'_> {
    /// Reads all pages, then the first, the middle and the last once more.
    ///
    /// # Errors
    /// When a page does not come, is no list, or names itself as the next one.
    pub async fn crawl(&self) -> Result<Crawl, NotDone> {
        let (address, _) = plain(&self.begin)?;
        let mut line = Line::to(&address);
        let mut crawl = Crawl::default();
        let mut seen = vec![false; self.shelves.objects()];
        let mut urls = Vec::new();
        let mut next = Some(self.begin.clone());
        while let Some(here) = next {
            let (answer, took) = self.read(&mut line, &here).await?;
            crawl.times.push(took);
            crawl.enter(self.shelves, &answer, &mut seen)?;
            let link = answer.header("link").and_then(page::next_of);
            next = link.and_then(|link| url::resolve(&here, &link));
            if next.as_ref() == Some(&here) {
                return Err(NotDone::failed("a page names itself as the next one"));
            }
            urls.push((here, data(&answer.body)?));
        }
        let some = [0, urls.len() / 2, urls.len().saturating_sub(1)];
        for (here, before) in some.iter().filter_map(|at| urls.get(*at)) {
            let (answer, _) = self.read(&mut line, here).await?;
            crawl.changed += usize::from(data(&answer.body)? != *before);
        }
        Ok(crawl)
    }

    async fn read(&self, line: &mut Line, page: &str) -> Result<(Response, Duration), NotDone> {
        let (address, path) = plain(page)?;
        let headers = with_ids(&self.headers, uuid::Uuid::new_v4().to_string());
        let request = wire::request("GET", &path, &address, &headers, b"");
        line.ask(&request).await.map_err(NotDone::failed)
    }
}

impl Crawl {
    fn enter(&mut self, shelves: &Shelves, answer: &Response, seen: &mut [bool]) -> Result<(), NotDone> {
        let page: Page<'_> = serde_json::from_slice(&answer.body)
            .map_err(|error| NotDone::failed(format!("a page is no list: {error}")))?;
        let total = answer.header("x-total-count").and_then(|total| total.parse().ok());
        self.miscounted += usize::from(total != Some(shelves.objects()));
        for object in page.data {
            let named: Option<Named> = serde_json::from_str(object.get()).ok();
            let number = named.and_then(|named| number_of(&named.id));
            match number.and_then(|number| seen.get_mut(number)) {
                None => self.strangers += 1,
                Some(seen) if *seen => self.twice += 1,
                Some(seen) => {
                    *seen = true;
                    self.listed += 1;
                    let written = number.and_then(|number| shelves.object(number));
                    self.spoilt += usize::from(written.as_deref() != Some(object.get()));
                }
            }
        }
        Ok(())
    }
}

/// A fingerprint of the objects on a page: the envelope around them says when it was written.
fn data(body: &[u8]) -> Result<u64, NotDone> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let page: Page<'_> =
        serde_json::from_slice(body).map_err(|error| NotDone::failed(format!("a page is no list: {error}")))?;
    let mut hasher = DefaultHasher::new();
    for object in page.data {
        object.get().hash(&mut hasher);
    }
    Ok(hasher.finish())
}
