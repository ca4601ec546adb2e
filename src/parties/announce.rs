//! Telling peers that our list of endpoints has changed (V-10): a PUT of our credentials makes them fetch it again.
//!
//! What a platform was told is remembered as a digest, written with every handshake. An upgrade that serves a new module, another
//! public URL, or a custom module that appeared makes the digest differ; then one platform after the other is renewed, never two
//! at a time, and one that does not play along is left alone for longer and longer. The old registration works on (CR-34).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::{Fault, Parties};
use crate::client::backoff;
use crate::ocpi::versions::Version;
use crate::routing::directory::{Platform, PlatformStatus};

/// Between two handshakes with one platform: several changes in a row are told together.
const REST: TimeDelta = TimeDelta::minutes(1);
/// One platform at a time, and this long between two.
const PAUSE: Duration = Duration::from_secs(1);
/// The first pause after an attempt, longer than the attempt itself can take, and the longest.
const FIRST: Duration = Duration::from_secs(300);
const LONGEST: Duration = Duration::from_secs(86_400);

impl Parties {
    /// What a platform reads of our endpoints in a handshake, and when it may be bothered again at the earliest.
    pub(super) fn announced_to(&self, platform: &Platform, version: Version) -> (String, DateTime<Utc>) {
        (self.digest_of_endpoints(platform, version), self.now() + REST)
    }

    /// What a platform is told in version details, in a few letters.
    fn digest_of_endpoints(&self, platform: &Platform, version: Version) -> String {
        let mut digest = Sha256::new();
        for endpoint in self.endpoints_for(platform, version) {
            let role = endpoint.role.map_or("", |role| role.as_str());
            digest.update(format!("{}\n{role}\n{}\n", endpoint.identifier, endpoint.url));
        }
        hex::encode(digest.finalize())
    }

    /// Renews registrations whose peers were told another list. Runs until the process ends or the task is aborted.
    pub async fn announce(self: Arc<Self>) {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looked_at = -1;
        loop {
            tick.tick().await;
            match self.announce_one(&mut looked_at).await {
                Ok(()) => {}
                Err(fault) => log::error!("{}", fault.chain()),
            }
        }
    }

    /// Tells one platform, if there is one to tell. `settled` is the revision of the directory for which nobody was left.
    async fn announce_one(&self, settled: &mut i64) -> Result<(), Fault> {
        let snapshot = self.snapshot();
        if snapshot.revision() == *settled {
            return Ok(());
        }
        let told = self
            .store
            .announced()
            .await
            .map_err(|error| Fault::new("reading what was announced", error))?;
        let now = self.now();
        let mut waiting = false;
        for platform in snapshot.directory().platforms() {
            let Some(version) = platform.version.filter(|_| platform.status.is_registered()) else {
                continue;
            };
            let row = told.iter().find(|row| row.platform_id == platform.id.as_str());
            let digest = self.digest_of_endpoints(platform, version);
            if row.is_some_and(|row| row.digest == digest) {
                continue;
            }
            waiting = true;
            if platform.status != PlatformStatus::Connected || row.is_some_and(|row| row.not_before > now) {
                continue;
            }
            let failures = row.map_or(0, |row| u32::try_from(row.failures).unwrap_or(u32::MAX));
            let pause = backoff::next_delay(failures.saturating_add(1), None, FIRST, LONGEST, 1.0);
            let not_before = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::days(1));
            let mine = self
                .store
                .announced_attempt(platform.id.as_str(), now, not_before)
                .await
                .map_err(|error| Fault::new("taking the turn to announce", error))?;
            if mine {
                match self.register(&platform.id, None, None).await {
                    Ok(_) => log::info!("platform {} was told the present endpoints", platform.id),
                    Err(not) => log::warn!("platform {} was not told the present endpoints: {not}", platform.id),
                }
                return Ok(());
            }
        }
        if !waiting {
            *settled = snapshot.revision();
        }
        Ok(())
    }
}
