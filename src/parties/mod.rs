//! People: which platforms are connected, which parties they speak for, and how to speak to them.
//!
//! A *platform* is one OCPI connection with one pair of tokens; a *party* is a country code and a party id hosted there in
//! one or more roles. The operator lists who may register ([`operate`]), the credentials handshake turns the list into a
//! connection in either direction ([`handshake`]), every request is recognised by its token ([`caller`]) and every call
//! to a peer leaves through [`line::Line`]. Whether a peer is awake is [`presence`]'s question.
//!
//! No message is routed here and no HTTP status is chosen here. Tokens come in, are hashed, and never appear in a log or
//! in `Debug`.
//!
//! The rule everything follows from: **all or nothing**. A handshake changes the directory in one commit guarded by the
//! platform's revision, and no lock is held while a peer is called, because the peer calls back before it answers (CR-07).
//! Start with [`handshake`].

pub mod agreements;
mod announce;
pub mod caller;
mod change;
pub mod client_info;
pub mod directory;
pub mod failure;
pub mod handshake;
pub mod line;
pub mod operate;
pub mod options;
pub mod presence;
pub mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use caller::{Caller, TokenKind};
pub use directory::Snapshot;
pub use failure::{Failure, Fault};

use crate::client::http::Http;
use crate::clock::SharedClock;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;
use crate::ocpi::versions::{Endpoint, Version};
use crate::routing::custom;
use crate::routing::directory::Platform;
use crate::seeing::Hops;
use crate::store::Store;
use client_info::Wanted;
use directory::{Current, PlatformFile};
use line::Line;
use presence::{Presence, PresenceSettings};

/// The directory with everything that keeps it true.
pub struct Parties {
    store: Store,
    clock: SharedClock,
    settings: PartiesSettings,
    current: Current,
    presence: Arc<Presence>,
    line: Arc<Line>,
    hops: Arc<Hops>,
    /// What everybody was told as of a revision of the directory, as far as this process did it.
    told: Mutex<Option<(i64, Wanted)>>,
    asking: tokio::sync::Mutex<()>,
    /// How often somebody has begun to ask.
    asked: AtomicU64,
}

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct PartiesSettings {
    /// The hub's own party.
    pub hub: PartyId,
    /// The hub's business name, shown in its credentials.
    pub hub_name: String,
    /// Where peers reach this hub, without a trailing slash; all URLs handed out start with it.
    pub public_url: String,
    /// How long the previous token lives on after a rotation (CR-35).
    pub grace: Duration,
    /// The deadline of one request to a peer, unless its platform says otherwise (D-15).
    pub relay: Duration,
    /// When a silent platform is looked after, and when it counts as OFFLINE (D-21).
    pub presence: PresenceSettings,
}

impl Parties {
    /// Reads the directory and stands ready. Nothing is called before [`Parties::follow`] runs.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn open(
        store: Store,
        http: Http,
        clock: SharedClock,
        settings: PartiesSettings,
    ) -> Result<Arc<Parties>, Fault> {
        let rows = store
            .directory_load()
            .await
            .map_err(|e| Fault::new("reading the directory", e))?;
        let current = Current::new(Snapshot::new(settings.hub.clone(), rows));
        let presence = Arc::new(Presence::new(current.clone(), clock.clone(), settings.presence.clone()));
        let hops = Arc::new(Hops::default());
        let line = Arc::new(Line::new(http, settings.relay, presence.clone(), hops.clone()));
        Ok(Arc::new(Parties {
            store,
            clock,
            settings,
            current,
            presence,
            line,
            hops,
            told: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            asked: AtomicU64::default(),
        }))
    }

    /// The latest snapshot: no database read, no lock.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.get()
    }

    /// How to speak to a platform.
    #[must_use]
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// What came from platforms and went to them, counted and told.
    #[must_use]
    pub fn hops(&self) -> &Arc<Hops> {
        &self.hops
    }

    /// Who is awake.
    #[must_use]
    pub fn presence(&self) -> &Arc<Presence> {
        &self.presence
    }

    /// What this room was told at the start.
    #[must_use]
    pub fn settings(&self) -> &PartiesSettings {
        &self.settings
    }

    /// The URL to hand to a peer together with a TOKEN_A, and the `url` of the hub's own credentials.
    #[must_use]
    pub fn versions_url(&self) -> String {
        format!("{}/ocpi/versions", self.settings.public_url)
    }

    /// What our version details list for a platform (V-02, V-05), with the custom modules it may use (V-09).
    #[must_use]
    pub fn endpoints_for(&self, platform: &Platform, version: Version) -> Vec<Endpoint> {
        let public_url = &self.settings.public_url;
        let mut endpoints = modules::endpoints(public_url, version);
        for (identifier, role) in custom::offered(self.snapshot().directory(), platform) {
            let side = role.to_ascii_lowercase();
            endpoints.push(Endpoint {
                url: url::join(public_url, &["ocpi", version.as_str(), &side, &identifier]),
                role: InterfaceRole::parse(role),
                identifier,
            });
        }
        endpoints
    }

    /// Reads the directory again and replaces the snapshot; what changed is told to those concerned (HCI-02).
    ///
    /// # Errors
    /// When the directory cannot be read; the old snapshot then stays.
    pub async fn reload(&self) -> Result<(), Fault> {
        let rows = self
            .store
            .directory_load()
            .await
            .map_err(|e| Fault::new("reading the directory", e))?;
        let snapshot = Snapshot::new(self.settings.hub.clone(), rows);
        let (written, revision) = (snapshot.directory().clone(), snapshot.revision());
        self.current.replace(snapshot, &self.presence);
        // What is told is what is written down, not what this process alone believes. A failure does not undo the change that was
        // made: it is told a moment later, by whoever looks next.
        if let Err(fault) = self.tell_changes(&written, revision).await {
            log::error!("{}", fault.chain());
        }
        Ok(())
    }

    /// Keeps the snapshot equal to the database, forgets tokens whose grace is over, and looks after silent platforms.
    /// Runs until the process ends or the task is aborted; safe to abort at any point.
    ///
    /// Other processes change the directory too. PostgreSQL says so at their commit; in case it was not heard, the revision is looked at
    /// every second.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut news = self.store.news();
        let mut listening = true;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                // Nobody speaks where there is one process.
                told = news.changed(), if listening => listening = told.is_ok(),
                () = self.presence.news() => {}
            }
            if let Err(fault) = self.catch_up().await {
                log::error!("{}", fault.chain());
            }
            self.presence.look_around(&self.line, &self.store);
        }
    }

    async fn catch_up(&self) -> Result<(), Fault> {
        if self.snapshot().has_expired_tokens(self.now()) {
            self.store
                .tokens_forget_expired(self.now())
                .await
                .map_err(|e| Fault::new("forgetting expired tokens", e))?;
        }
        let revision = self
            .store
            .directory_revision()
            .await
            .map_err(|e| Fault::new("reading the directory revision", e))?;
        let moved = self
            .presence
            .write_down(&self.store)
            .await
            .map_err(|e| Fault::new("writing down who is awake", e))?;
        let untold = self
            .store
            .client_info_compared()
            .await
            .map_err(|e| Fault::new("reading what was compared", e))?
            < revision;
        if moved || untold || revision != self.snapshot().revision() {
            self.reload().await?;
        }
        Ok(())
    }

    /// Whether the directory has moved on without us, for somebody who is not in it: a party may call a process that has not heard yet
    /// of what another one agreed with it a moment ago. One asks at a time, and for all who came before it did: a crowd of strangers costs
    /// one small question after the other.
    async fn is_behind(&self) -> bool {
        let before = self.asked.load(Ordering::Relaxed);
        let _turn = self.asking.lock().await;
        if self.asked.load(Ordering::Relaxed) > before {
            // Somebody asked after we came, and has taken over what there was.
            return true;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.store.directory_revision().await {
            Ok(revision) if revision != self.snapshot().revision() => match self.reload().await {
                Ok(()) => true,
                Err(fault) => {
                    log::error!("{}", fault.chain());
                    false
                }
            },
            Ok(_) => false,
            Err(error) => {
                log::warn!("looking whether the directory has moved on: {error}");
                false
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Everything stored about one platform, straight from the database: what a change is decided on.
    async fn file(&self, id: &PlatformId) -> Result<Option<PlatformFile>, Fault> {
        let rows = self
            .store
            .directory_load()
            .await
            .map_err(|e| Fault::new("reading the directory", e))?;
        Ok(PlatformFile::pick(rows, id))
    }
}
