//! `truewatt serve`: the wiring diagram. Config → store → rooms → doors → workers, and the way back.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::{NotDone, files, keeping, with_causes};
use crate::audit::{Audit, Change};
use crate::client::http::{DEFAULT_MAX_BODY, Furnishing, Http, HttpError, HttpSettings};
use crate::client::identity::Identity;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, Config, Secret};
use crate::delivery::copy::{self, Copies};
use crate::delivery::kinds::Horizons;
use crate::delivery::order::Order;
use crate::delivery::worker::Worker;
use crate::delivery::{self, Delivery};
use crate::evidence::assess::{KeyPolicy, Policy};
use crate::evidence::doubts::Doubts;
use crate::evidence::intake::{EvidenceSettings, Intake};
use crate::evidence::packing;
use crate::evidence::rechecks::Rechecks;
use crate::evidence::retention::{Periods, Retention};
use crate::evidence::sightings::Sightings;
use crate::exchange::cdr::{CdrExchange, CdrSettings};
use crate::exchange::hints::Hints;
use crate::exchange::journal::Journal;
use crate::exchange::relay::{Exchange, ExchangeSettings, Patience, Rooms};
use crate::links::{Links, Timeouts};
use crate::metering::finding::{Code, Severity};
use crate::metering::plausible::Tolerances;
use crate::metering::signature::self_test;
use crate::mirror::{Mirror, MirrorSettings};
use crate::ocpi::ids::PartyId;
use crate::parties::presence::PresenceSettings;
use crate::parties::{Parties, PartiesSettings, tokens};
use crate::profiles::pace::{Limits as Often, Rate};
use crate::profiles::{Contract, Profiles, ProfilesSettings};
use crate::registry::log::checkpoint::Signer;
use crate::registry::telling::Telling;
use crate::registry::{Registry, RegistrySettings};
use crate::routing::directory::InvalidCdrs;
use crate::store::Store;
use crate::web::doorstep::{Certificates, Doorstep};
use crate::web::limits::Limits;
use crate::web::metrics::Metrics;
use crate::web::operator::people::Operators;
use crate::web::pace::Pace;
use crate::web::{self, Doors};

/// A file may not grow further: the same number wherever there are Linux, macOS or BSD processors in use today.
const SIGXFSZ: i32 = 25;

/// Starts hubs.
pub struct Hub;

/// A hub that runs in this process, until it is stopped.
pub struct Running {
    /// Where partners reach it.
    pub url: String,
    /// Where it listens, whatever it says of itself.
    pub bound: String,
    /// The token of the operator named "operator": the configured one, or the one made for this run; empty where only others have one.
    pub operator_token: Secret,
    /// The rooms, for those who run a hub inside their own program.
    pub parties: Arc<Parties>,
    /// Which key belongs to which meter.
    pub registry: Arc<Registry>,
    /// What is owed.
    pub delivery: Arc<Delivery>,
    /// URLs lent out.
    pub links: Arc<Links>,
    /// What is kept for others.
    pub mirror: Arc<Mirror>,
    /// What is on its way to everybody.
    pub copies: Arc<Copies>,
    hints: Arc<Hints>,
    journal: Arc<Journal>,
    sightings: Arc<Sightings>,
    /// What is removed when it is old.
    pub retention: Arc<Retention>,
    /// Who changed what.
    pub audit: Arc<Audit>,
    /// Its memory.
    pub store: Store,
    made_token: bool,
    database: String,
    server: ServerHandle,
    /// `None` once it has ended and was heard of.
    serving: Option<JoinHandle<std::io::Result<()>>>,
    post: Worker,
    rounds: copy::Rounds,
    workers: Vec<JoinHandle<()>>,
}

/// Why a hub could not start, as one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct StartError {
    doing: &'static str,
    why: String,
    /// The configuration makes no sense: nothing was begun.
    nonsense: bool,
}

impl From<StartError> for NotDone {
    fn from(error: StartError) -> NotDone {
        if error.nonsense {
            NotDone::usage(error.to_string())
        } else {
            NotDone::failed(error.to_string())
        }
    }
}

pub(super) async fn run(config: Config) -> Result<(), NotDone> {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .parse_default_env()
        .init();
    // A limit on the size of files is then met as a full disk is: by an error of the write, not by the end of the process.
    let _full = signal(SignalKind::from_raw(SIGXFSZ))
        .map_err(|error| NotDone::failed(format!("signals cannot be received: {error}")))?;
    for key in &config.without_effect {
        log::warn!("{key} has no effect in this version");
    }
    let connections = usize::try_from(config.limits.connections).unwrap_or(usize::MAX);
    if let Some(allowed) = files::allowed().filter(|allowed| *allowed <= connections) {
        log::warn!("limits.connections is {connections}, but this process may have {allowed} files open (ulimit -n)");
    }
    let hub = Hub::start(config, SystemClock::shared()).await?;
    println!("listening: {}", hub.url);
    println!("database: {}", hub.database);
    if hub.made_token {
        println!("operator token: {}", hub.operator_token.expose());
    }
    hub.until(until_told_to_stop()).await
}

impl Hub {
    /// Starts a hub: migrates the database, reads the directory, opens the doors, sets the workers to work.
    ///
    /// A port 0 in `server.bind` is chosen by the system, and one in `server.public_url` follows it.
    ///
    /// # Errors
    /// [`StartError`] with the step that failed; nothing is left running.
    pub async fn start(config: Config, clock: SharedClock) -> Result<Running, StartError> {
        // A build whose cryptography is wrong must not judge anybody's bill.
        self_test().map_err(|why| StartError {
            doing: "testing the signature checks",
            why,
            nonsense: false,
        })?;
        // Before the database: a configuration that makes no sense leaves no trace (design 3.2).
        let policy = policy(&config)?;
        let contracts = contracts(&config.smart_charging)?;
        let certificates = certificates(&config)?;
        let tls = certificates.clone().map(Certificates::server).transpose();
        let tls = tls.map_err(at("preparing to speak TLS"))?;
        let listener = TcpListener::bind(config.server.bind).map_err(at("listening"))?;
        let bound = listener.local_addr().map_err(at("listening"))?;
        let url = with_port(&config.server.public_url, bound.port());

        let http = outgoing(&config)?;

        let store = Store::open(config.database.url.expose())
            .await
            .map_err(at("opening the database"))?;
        let migrated = keeping::migrated(&config, store)
            .await
            .map_err(at("migrating the database"))?;
        let store = migrated.map_err(|no_key| StartError {
            doing: "finding the key of the secrets in the database",
            nonsense: no_key.is_nonsense(),
            why: with_causes(&no_key),
        })?;
        store
            .join(&url)
            .await
            .map_err(at("joining the other processes of this hub"))?;

        let hub = PartyId::new(&config.hub.country_code, &config.hub.party_id).map_err(at("reading [hub]"))?;
        let settings = PartiesSettings {
            hub,
            hub_name: config.hub.name.clone(),
            public_url: url.clone(),
            grace: config.credentials.grace,
            relay: config.timeouts.relay,
            presence: PresenceSettings {
                idle_check: config.presence.idle_check,
                check_interval: config.presence.check_interval,
                failures_until_offline: config.presence.failures_until_offline,
            },
        };
        let parties = Parties::open(store.clone(), http, clock.clone(), settings)
            .await
            .map_err(at("reading the directory"))?;

        let made_token = config.operator.token.is_none() && config.operator.tokens.is_empty();
        let operator_token = match config.operator.token.clone() {
            Some(token) => Some(token),
            None if made_token => Some(tokens::mint().map_err(at("making an operator token"))?),
            None => None,
        };
        let operators = Operators::new(operator_token.as_ref(), &config.operator.tokens);
        let signer = signer(&config, &store, &clock).await?;
        let audit = Arc::new(
            Audit::open(store.clone(), clock.clone(), signer, &parties.settings().hub.key())
                .await
                .map_err(at("reading the audit trail"))?,
        );
        let kept = &config.retention;
        let periods = Periods {
            cdrs: kept.cdrs_days,
            journal: kept.journal_days,
            sessions: kept.sessions_days,
            deleted: kept.deleted_days,
            duties: kept.duties_days,
        };
        let retention = Retention::new(store.clone(), clock.clone(), periods);
        let order = Order::default();
        let copies = Copies::new(store.clone(), parties.clone(), order.clone(), clock.clone());
        let cdrs = CdrRooms::furnish(&config, policy, &url, &store, &parties, &copies, &clock).await?;
        let relay = RelayRooms::furnish(
            &config,
            &url,
            &store,
            &parties,
            (order, copies),
            (&cdrs.registry, &cdrs.delivery),
            &clock,
        );
        relay
            .profiles
            .configure(&contracts)
            .await
            .map_err(at("keeping the contracts of the configuration"))?;
        let sightings = cdrs.intake.sightings().clone();
        let doors = Doors {
            hall: relay.hall.clone(),
            parties: parties.clone(),
            store: store.clone(),
            operators,
            audit: audit.clone(),
            retention: retention.clone(),
            registry: cdrs.registry.clone(),
            intake: cdrs.intake,
            rechecks: cdrs.rechecks.clone(),
            exchange: cdrs.exchange,
            delivery: cdrs.delivery.clone(),
            profiles: relay.profiles.clone(),
            limits: Limits::new(&config.limits, &config.server, clock.clone()),
            metrics: Metrics::new(&config.metrics, store.clone()),
            pace: Pace::each_second(config.registry.public_rate, clock.clone()),
            submissions: Pace::each_minute(config.registry.submissions_per_minute, clock.clone()),
            clock,
            max_limit: config.paging.max_limit,
            certificates: certificates.clone(),
        };
        let doorstep = Doorstep::new(&config.limits, &config.server, tls, doors.clock.clone());
        let server = web::listen(doors, listener, doorstep).map_err(at("listening"))?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let post = delivery::worker::start(cdrs.delivery.clone());
        let rounds = copy::start(relay.copies.clone());
        let mut workers = vec![
            tokio::spawn(parties.clone().follow()),
            tokio::spawn(parties.clone().announce()),
            tokio::spawn(cdrs.registry.clone().follow()),
            tokio::spawn(cdrs.telling.clone().follow()),
            tokio::spawn(cdrs.rechecks.clone().follow()),
            tokio::spawn(cdrs.doubts.clone().follow()),
            tokio::spawn(sightings.clone().follow()),
            tokio::spawn(relay.mirror.clone().follow()),
            tokio::spawn(relay.links.clone().tend()),
            tokio::spawn(relay.profiles.clone().tend()),
            tokio::spawn(relay.journal.clone().write()),
            tokio::spawn(keep_no_longer(retention.clone(), audit.clone())),
        ];
        if let Some(certificates) = &certificates {
            workers.push(tokio::spawn(renew(certificates.clone(), CERTIFICATE_CHECK)));
        }
        let database = format!("{} {}", store.kind(), config.database.masked_url());
        Ok(Running {
            url,
            bound: match certificates {
                Some(_) => format!("https://{bound}"),
                None => format!("http://{bound}"),
            },
            operator_token: operator_token.unwrap_or_else(|| Secret::new("")),
            parties,
            registry: cdrs.registry,
            delivery: cdrs.delivery,
            links: relay.links,
            mirror: relay.mirror,
            copies: relay.copies,
            hints: relay.hints,
            journal: relay.journal,
            sightings,
            retention,
            audit,
            store,
            made_token,
            database,
            server: handle,
            serving: Some(serving),
            post,
            rounds,
            workers,
        })
    }
}

/// The client that calls partners.
fn outgoing(config: &Config) -> Result<Http, StartError> {
    let outbound = &config.outbound;
    let settings = HttpSettings {
        connect: config.timeouts.connect,
        allow_http: outbound.allow_http,
        allow_private_networks: outbound.allow_private_networks,
        max_body: DEFAULT_MAX_BODY,
        user_agent: concat!("truewatt/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let identities = outbound.identities.iter().map(|one| Identity {
        name: one.name.clone(),
        certificate: one.certificate.clone(),
        ca: one.ca.clone(),
    });
    let furnishing = Furnishing {
        allowed_networks: outbound.allowed_networks.clone(),
        identities: identities.collect(),
        ..Furnishing::default()
    };
    Http::furnished(settings, furnishing).map_err(|error| StartError {
        doing: "preparing to call partners",
        nonsense: matches!(error, HttpError::Identity { .. }),
        why: with_causes(&error),
    })
}

/// The rooms that a CDR passes through.
struct CdrRooms {
    registry: Arc<Registry>,
    delivery: Arc<Delivery>,
    intake: Arc<Intake>,
    rechecks: Arc<Rechecks>,
    doubts: Arc<Doubts>,
    telling: Arc<Telling>,
    exchange: Arc<CdrExchange>,
}

impl CdrRooms {
    async fn furnish(
        config: &Config,
        policy: Policy,
        public_url: &str,
        store: &Store,
        parties: &Arc<Parties>,
        copies: &Arc<Copies>,
        clock: &SharedClock,
    ) -> Result<CdrRooms, StartError> {
        let hub = parties.settings().hub.clone();
        let registry = registry(config, public_url, store, &hub, clock).await?;
        let horizons = Horizons {
            lease: config.duties.lease,
            first_retry: config.duties.first_retry,
            max_retry: config.duties.max_retry,
            custody: Duration::from_secs(u64::from(config.cdrs.custody_days) * 86_400),
        };
        let delivery = Delivery::new(
            store.clone(),
            parties.clone(),
            copies.clone(),
            clock.clone(),
            horizons,
            config.cdrs.custody,
            packing::pushed,
        );
        let settings = EvidenceSettings {
            hub: hub.clone(),
            public_url: public_url.to_owned(),
            policy,
            invalid_cdrs: match config.metering.invalid_cdrs {
                config::InvalidCdrs::Mark => InvalidCdrs::Mark,
                config::InvalidCdrs::Hold => InvalidCdrs::Hold,
                config::InvalidCdrs::Reject => InvalidCdrs::Reject,
            },
        };
        let intake = Arc::new(Intake::new(store.clone(), registry.clone(), delivery.clone(), settings));
        let settings = CdrSettings {
            hub,
            public_url: public_url.to_owned(),
            max_limit: config.paging.max_limit,
        };
        let exchange = CdrExchange::new(store.clone(), intake.clone(), delivery.clone(), clock.clone(), settings);
        Ok(CdrRooms {
            rechecks: Rechecks::new(intake.clone(), clock.clone(), config.duties.lease),
            doubts: Doubts::new(store.clone(), clock.clone()),
            telling: Telling::new(registry.clone(), delivery.clone(), clock.clone()),
            registry,
            delivery,
            intake,
            exchange,
        })
    }
}

async fn registry(
    config: &Config,
    public_url: &str,
    store: &Store,
    hub: &PartyId,
    clock: &SharedClock,
) -> Result<Arc<Registry>, StartError> {
    // Our own public URL is no stranger's suggestion: it may be called wherever it is, and nothing else is called with this client.
    let mirror = Http::new(HttpSettings {
        connect: config.timeouts.connect,
        allow_http: true,
        allow_private_networks: true,
        max_body: DEFAULT_MAX_BODY,
        user_agent: concat!("truewatt/", env!("CARGO_PKG_VERSION")).to_owned(),
    });
    let signer = signer(config, store, clock).await?;
    let settings = RegistrySettings {
        public_url: public_url.to_owned(),
        origin: hub.key(),
        test_keys: config.registry.test_keys,
        require_sample: config.registry.require_sample,
        checkpoint_every: config.registry.checkpoint_interval,
        show: web::keys::view::whole,
    };
    let mirror = mirror.map_err(at("preparing to read back published keys"))?;
    Registry::open(store.clone(), clock.clone(), mirror, settings, signer)
        .await
        .map_err(at("reading the key registry"))
}

/// What the hub shows who it is with, where it speaks TLS itself.
fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, StartError> {
    let read = config.server.tls.as_ref().map(Certificates::read).transpose();
    read.map_err(|why| StartError {
        doing: "reading the configuration",
        why: format!("server.tls: {}", with_causes(&why)),
        nonsense: true,
    })
}

/// The configured key, else the one in the database, else a fresh one that is there from now on.
async fn signer(config: &Config, store: &Store, clock: &SharedClock) -> Result<Signer, StartError> {
    let seed = match &config.registry.signing_key {
        Some(seed) => seed.clone(),
        None => {
            let mut fresh = [0; 32];
            getrandom::fill(&mut fresh).map_err(at("making the registry's key"))?;
            let kept = store.registry_seed(&hex::encode(fresh), clock.now()).await;
            Secret::new(kept.map_err(at("reading the registry's key"))?)
        }
    };
    let bytes = hex::decode(seed.expose()).map_err(at("reading the registry's key"))?;
    Signer::from_seed(&bytes).map_err(at("reading the registry's key"))
}

/// The rooms that everything but a CDR passes through.
struct RelayRooms {
    links: Arc<Links>,
    mirror: Arc<Mirror>,
    copies: Arc<Copies>,
    hints: Arc<Hints>,
    profiles: Arc<Profiles>,
    journal: Arc<Journal>,
    hall: Arc<Exchange>,
}

impl RelayRooms {
    fn furnish(
        config: &Config,
        public_url: &str,
        store: &Store,
        parties: &Arc<Parties>,
        (order, copies): (Order, Arc<Copies>),
        (registry, delivery): (&Arc<Registry>, &Arc<Delivery>),
        clock: &SharedClock,
    ) -> RelayRooms {
        let timeouts = &config.timeouts;
        let patience = Timeouts {
            list: timeouts.list,
            answer: timeouts.command,
        };
        let links = Links::new(store.clone(), parties.clone(), clock.clone(), patience);
        let settings = MirrorSettings {
            sessions: config.mirror.sessions,
            pull_interval: Duration::from_secs(u64::from(config.mirror.pull_interval_h) * 3600),
            page: timeouts.list,
        };
        let mirror = Mirror::new(store.clone(), parties.clone(), copies.clone(), clock.clone(), settings);
        let hints = Arc::new(Hints::start(store.clone(), clock.clone()));
        let profiles = Profiles::new(store.clone(), clock.clone(), steering(&config.smart_charging));
        let journal = Journal::new(store.clone());
        let rooms = Rooms {
            parties: parties.clone(),
            links: links.clone(),
            mirror: mirror.clone(),
            hints: hints.clone(),
            profiles: profiles.clone(),
            delivery: delivery.clone(),
            order,
            journal: journal.clone(),
            registry: registry.clone(),
            store: store.clone(),
            clock: clock.clone(),
        };
        let settings = ExchangeSettings {
            hub: parties.settings().hub.clone(),
            public_url: public_url.to_owned(),
            max_limit: config.paging.max_limit,
            patience: Patience {
                relay: timeouts.relay,
                authorize: timeouts.authorize,
                command: timeouts.command,
                list: timeouts.list,
            },
        };
        RelayRooms {
            hall: Exchange::new(rooms, settings),
            links,
            mirror,
            copies,
            hints,
            profiles,
            journal,
        }
    }
}

/// The contracts of the configuration.
fn contracts(config: &config::SmartCharging) -> Result<Vec<Contract>, StartError> {
    let read = |document: &Map<String, Value>| {
        let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
        Contract::read(id, document).map_err(|wrong| StartError {
            doing: "reading the configuration",
            why: format!("smart_charging.contracts: {id}: {} {}", wrong.pointer, wrong.reason),
            nonsense: true,
        })
    };
    config.contracts.iter().map(read).collect()
}

/// Who may steer, in the words of `profiles`.
fn steering(config: &config::SmartCharging) -> ProfilesSettings {
    ProfilesSettings {
        is_kept: config.control == config::Control::Ledger,
        limits: Often {
            put: Rate {
                burst: config.put_burst,
                interval_s: config.put_interval_s,
            },
            get: Rate {
                burst: config.get_burst,
                interval_s: config.get_interval_s,
            },
        },
    }
}

/// What is demanded of meter data, in the words of `evidence`.
fn policy(config: &Config) -> Result<Policy, StartError> {
    let mut severities = Vec::new();
    for (name, severity) in &config.metering.severity {
        let code = Code::from_name(name).filter(|code| code.as_str() == name);
        let wrong = |why: &str| StartError {
            doing: "reading the configuration",
            why: format!("metering.severity.{name} {why}"),
            nonsense: true,
        };
        let code = code.ok_or_else(|| wrong("is no finding code"))?;
        if !code.is_adjustable() {
            return Err(wrong("cannot be given another severity: it decides what was proven"));
        }
        let severity = match severity {
            config::Severity::Error => Severity::Error,
            config::Severity::Warning => Severity::Warning,
            config::Severity::Info => Severity::Info,
        };
        severities.push((code, severity));
    }
    Ok(Policy {
        key_policy: match config.metering.key_policy {
            config::KeyPolicy::Registered => KeyPolicy::Registered,
            config::KeyPolicy::Delivered => KeyPolicy::Delivered,
        },
        tolerances: Tolerances {
            time_s: i64::try_from(config.metering.time_tolerance.as_secs()).unwrap_or(i64::MAX),
            energy_kwh: config.metering.energy_tolerance_kwh,
        },
        severities,
    })
}

impl Running {
    /// Serves until it is told to stop, or until the server ends by itself, which nobody else would notice; then stops.
    async fn until(mut self, told: impl Future<Output = Result<(), NotDone>>) -> Result<(), NotDone> {
        let ended = tokio::select! {
            told = told => told,
            why = self.ended() => Err(NotDone::failed(format!("the server ended by itself: {why}"))),
        };
        log::info!("stopping: no new requests, those under way are finished");
        self.stop().await;
        ended
    }

    /// Why the server ended, when it has.
    async fn ended(&mut self) -> String {
        let Some(serving) = &mut self.serving else {
            return std::future::pending().await;
        };
        let ended = serving.await;
        self.serving = None;
        match ended {
            Ok(Ok(())) => "nobody told it to".to_owned(),
            Ok(Err(error)) => with_causes(&error),
            Err(error) => with_causes(&error),
        }
    }

    /// Removes what is old, if nobody did within a day; by itself the hub looks every few minutes.
    ///
    /// # Errors
    /// Why not, with all causes.
    pub async fn remove_what_is_old(&self) -> Result<(), String> {
        remove_what_is_old(&self.retention, &self.audit).await
    }

    /// Stops: doors first, so that nothing new comes in, then the workers, then the database. What a worker was doing is
    /// continued after the next start.
    pub async fn stop(self) {
        self.server.stop(true).await;
        if let Some(serving) = self.serving
            && let Ok(Err(error)) = serving.await
        {
            log::error!("the server ended badly: {error}");
        }
        self.post.stop().await;
        self.rounds.stop().await;
        self.hints.flush().await;
        self.journal.flush().await;
        if let Err(error) = self.sightings.write().await {
            log::error!("noting keys that nobody registered: {error}");
        }
        for worker in &self.workers {
            worker.abort();
        }
        for worker in self.workers {
            // Aborted on purpose: the error says just that.
            let _ = worker.await;
        }
        self.delivery.give_away().await;
        self.store.close().await;
    }
}

/// Once a day, by one of all processes, what is old is removed, and the trail says so before and after.
async fn keep_no_longer(retention: Arc<Retention>, audit: Arc<Audit>) {
    loop {
        tokio::time::sleep(RETENTION_CHECK).await;
        if let Err(error) = remove_what_is_old(&retention, &audit).await {
            log::error!("{error}");
        }
    }
}

/// What is due is removed, as the hub's own change.
async fn remove_what_is_old(retention: &Retention, audit: &Audit) -> Result<(), String> {
    if !retention.is_due().await.map_err(|fault| fault.chain())? {
        return Ok(());
    }
    let change = |object: Option<String>| Change {
        actor: "hub".to_owned(),
        role: "hub",
        method: "POST".to_owned(),
        route: "/operator/v1/retention".to_owned(),
        object,
    };
    let plan = retention.plan().await.map_err(|fault| fault.chain())?;
    let goes = plan.iter().filter(|one| one.goes > 0);
    let goes: Vec<String> = goes.map(|one| format!("{} {}", one.kind.as_str(), one.goes)).collect();
    // A day on which nothing goes is no news.
    let about = match goes.is_empty() {
        true => None,
        false => Some(
            audit
                .asked(change(Some(goes.join(", "))))
                .await
                .map_err(|error| with_causes(&error))?,
        ),
    };
    let removed = retention.run_if_due().await.map_err(|fault| fault.chain())?;
    if let Some(about) = about {
        // Another process was quicker: it has a line of its own.
        let status = if removed.is_some() { 200 } else { 409 };
        let written = audit.answered(change(None), about, status).await;
        written.map_err(|error| with_causes(&error))?;
    }
    Ok(())
}

/// How often it is looked whether a day is over.
const RETENTION_CHECK: Duration = Duration::from_secs(300);

/// Looks at the files of the certificate every few seconds, and at once on SIGHUP, which is what tools that renew certificates send.
async fn renew(certificates: Arc<Certificates>, every: Duration) {
    let mut told = signal(SignalKind::hangup()).ok();
    loop {
        let hangup = async {
            match &mut told {
                Some(told) => told.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = hangup => log::info!("SIGHUP: looking for a renewed certificate"),
        }
        let looked = certificates.clone();
        // The files may be on somebody else's disk.
        if let Err(error) = tokio::task::spawn_blocking(move || looked.look()).await {
            log::error!("looking for a renewed certificate: {error}");
        }
    }
}

/// How often the files of the certificate are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(2);

pub(super) async fn until_told_to_stop() -> Result<(), NotDone> {
    let listen = |kind| signal(kind).map_err(|error| NotDone::failed(format!("signals cannot be received: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn with_port(public_url: &str, port: u16) -> String {
    match public_url.strip_suffix(":0") {
        Some(base) => format!("{base}:{port}"),
        None => public_url.to_owned(),
    }
}

fn at<E: std::error::Error>(doing: &'static str) -> impl FnOnce(E) -> StartError {
    move |error| StartError {
        doing,
        why: with_causes(&error),
        nonsense: false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;

    #[tokio::test]
    async fn a_hangup_shows_a_renewed_certificate_without_waiting_for_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let put = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(folder.path().join("hub.key"), made.signing_key.serialize_pem()).unwrap();
            std::fs::write(folder.path().join("hub.pem"), made.cert.pem()).unwrap();
        };
        put();
        let files = config::Tls {
            certificate: folder.path().join("hub.pem"),
            private_key: folder.path().join("hub.key"),
        };
        let certificates = Certificates::read(&files).unwrap();
        let first = certificates.own();
        // From here on the signal ends no process, whoever hears it first.
        let _heard = signal(SignalKind::hangup()).unwrap();
        let an_hour = Duration::from_secs(3_600);
        let renewing = tokio::spawn(renew(certificates.clone(), an_hour));
        put();
        let mut tries = 0;
        while certificates.own() == first {
            tries += 1;
            assert!(tries < 200, "nobody looked");
            let told = std::process::Command::new("kill")
                .args(["-HUP", &std::process::id().to_string()])
                .status();
            assert!(told.unwrap().success());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(certificates.are_those_of_the_files());
        renewing.abort();
    }

    #[tokio::test]
    async fn a_server_that_ends_by_itself_ends_serve_with_exit_code_1() {
        let folder = tempfile::tempdir().unwrap();
        let file = format!(
            "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n[database]\nurl = \"sqlite://{}\"",
            folder.path().join("hub.db").display()
        );
        let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
        let mut hub = Hub::start(config, SystemClock::shared()).await.unwrap();
        let broken = async { Err(std::io::Error::other("no more sockets")) };
        let serving = hub.serving.replace(tokio::spawn(broken)).unwrap();
        let told = hub.until(std::future::pending()).await.unwrap_err();
        assert_eq!(told.code, 1);
        assert!(told.message.contains("no more sockets"), "{}", told.message);
        serving.await.unwrap().unwrap();
    }
}
