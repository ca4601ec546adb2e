//! What the operator decided: read once, checked at once, and from then on just values.
//!
//! Defaults are compiled in (`default.toml`, a sentence for each), a file is laid over them, the environment over both. What
//! was typed (`raw.rs`) and what it means ([`Config`]) are two things; nonsense ends here, with a sentence naming the key.
//! Nothing here knows OCPI or opens a connection, and no other room reads the environment. Secrets never print.
//!
//! Start with [`Config::load`]; rooms are handed the values they use, never the whole.

mod lists;
mod network;
mod raw;
mod secret;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rust_decimal::Decimal;
use thiserror::Error;
use toml::{Table, Value};
use url::Url;

pub use network::Network;
pub use secret::Secret;

use raw::Raw;

/// Whose token `operator.token` is.
pub const DEFAULT_OPERATOR: &str = "operator";

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "truewatt.toml";

/// The effective configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where we listen and how we are reached.
    pub server: Server,
    /// Our own party.
    pub hub: Hub,
    /// Where everything is kept.
    pub database: Database,
    /// The operator API.
    pub operator: Operator,
    /// What secrets are kept under.
    pub secrets: Secrets,
    /// What may be called.
    pub outbound: Outbound,
    /// How long others may take.
    pub timeouts: Timeouts,
    /// Lists.
    pub paging: Paging,
    /// Handshakes.
    pub credentials: Credentials,
    /// Who is there.
    pub presence: Presence,
    /// What is owed.
    pub duties: Duties,
    /// What is demanded of meter data.
    pub metering: Metering,
    /// What happens to CDRs.
    pub cdrs: Cdrs,
    /// What the hub keeps for others.
    pub mirror: Mirror,
    /// `[retention]`
    pub retention: Retention,
    /// Which key belongs to which meter.
    pub registry: Registry,
    /// Who may steer a charging session.
    pub smart_charging: SmartCharging,
    /// How much of us each may use.
    pub limits: Limits,
    /// Who sees what is counted.
    pub metrics: Metrics,
    /// Keys that were given but change nothing in this version; worth a warning at start.
    pub without_effect: Vec<String>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port to listen on.
    pub bind: SocketAddr,
    /// The beginning of every URL given to partners; without a slash at its end.
    pub public_url: String,
    /// Whose word about the address of a caller counts.
    pub trusted_proxies: Vec<Network>,
    /// In which header they say it.
    pub proxy_header: ProxyHeader,
    /// The files TLS is spoken with; `None` where it is not.
    pub tls: Option<Tls>,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate and those between it and its root.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub private_key: PathBuf,
}

/// `[hub]`
#[derive(Debug, Clone)]
pub struct Hub {
    /// Two letters.
    pub country_code: String,
    /// Three letters or digits.
    pub party_id: String,
    /// 1 to 100 characters.
    pub name: String,
}

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite://…`, `postgres://…` or `postgresql://…`; may hold a password.
    pub url: Secret,
}

impl Database {
    /// The URL with its password, if it has one, as `***`: for people to see.
    #[must_use]
    pub fn masked_url(&self) -> String {
        // Of several addresses the first stands for all: a URL has one.
        let (first, others) = split_addresses(self.url.expose());
        let Ok(mut url) = Url::parse(&first) else {
            return self.url.to_string();
        };
        // SQLite paths have no password, and would be respelled by the setters of a URL.
        if url.scheme() == "sqlite" {
            return self.url.expose().to_owned();
        }
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return self.url.to_string();
        }
        if url.query().is_some() {
            // PostgreSQL takes a password there as well.
            url.set_query(Some("***"));
        }
        match (others, url.host_str().zip(url.port())) {
            ("", _) => url.to_string(),
            (others, Some((host, port))) => {
                let address = format!("{host}:{port}");
                url.as_str().replacen(&address, &format!("{address}{others}"), 1)
            }
            (others, None) => match url.host_str() {
                Some(host) => url.as_str().replacen(host, &format!("{host}{others}"), 1),
                None => self.url.to_string(),
            },
        }
    }
}

/// `postgres://u:p@h1:1,h2:2/db` without `,h2:2`, and that.
fn split_addresses(url: &str) -> (String, &str) {
    let whole = || (url.to_owned(), "");
    let Some(authority) = url
        .strip_prefix("postgres")
        .and_then(|_| url.find("://"))
        .map(|at| at + 3)
    else {
        return whole();
    };
    let end = url[authority..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| authority + at);
    let hosts = url[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    match url[hosts..end].find(',').map(|at| hosts + at) {
        Some(comma) => (format!("{}{}", &url[..comma], &url[end..]), &url[comma..end]),
        None => whole(),
    }
}

/// `[operator]`
#[derive(Debug, Clone)]
pub struct Operator {
    /// Bearer token of the operator named "operator".
    pub token: Option<Secret>,
    /// Everybody else with a token.
    pub tokens: Vec<OperatorToken>,
}

/// `[[operator.tokens]]`
#[derive(Debug, Clone)]
pub struct OperatorToken {
    /// Who shows it: 1 to 100 printable characters, unlike all others.
    pub name: String,
    /// What they may do.
    pub role: OperatorRole,
    /// SHA-256 of the token, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// `[secrets]`
#[derive(Debug, Clone)]
pub struct Secrets {
    /// 64 hexadecimal digits; `None` when one has to be made.
    pub key: Option<Secret>,
    /// Keys that open and do not close.
    pub previous_keys: Vec<Secret>,
}

/// `[outbound]`
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Without TLS too.
    pub allow_http: bool,
    /// Non-public addresses too.
    pub allow_private_networks: bool,
    /// Networks that may be called whatever they are.
    pub allowed_networks: Vec<Network>,
    /// What is shown to partners who want to see a certificate.
    pub identities: Vec<Identity>,
}

/// `[outbound.identities.NAME]`: a certificate with its key, or a root to trust, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What platforms call it by.
    pub name: String,
    /// PEM files of a certificate with its chain, and of its private key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A PEM file of roots to trust beside those of the system.
    pub ca: Option<PathBuf>,
}

/// `[timeouts]`
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To make a connection.
    pub connect: Duration,
    /// To have the answer to a carried request; longer than `connect`.
    pub relay: Duration,
    /// To have the answer to a real-time authorization; longer than `connect`.
    pub authorize: Duration,
    /// To have the first answer to a command or a charging profile; longer than `connect`.
    pub command: Duration,
    /// To have a page of a list; longer than `connect`.
    pub list: Duration,
}

/// `[paging]`
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// Objects per page at most.
    pub max_limit: u32,
}

/// `[credentials]`
#[derive(Debug, Clone, Copy)]
pub struct Credentials {
    /// How long an old token works after a rotation.
    pub grace: Duration,
}

/// `[presence]`
#[derive(Debug, Clone, Copy)]
pub struct Presence {
    /// Silence after which a partner is asked.
    pub idle_check: Duration,
    /// Between two checks of a partner that did not answer.
    pub check_interval: Duration,
    /// Failed checks in a row until a partner is offline.
    pub failures_until_offline: u32,
}

/// `[duties]`
#[derive(Debug, Clone, Copy)]
pub struct Duties {
    /// How long an attempt, or a portion of second looks, belongs to one process; longer than `timeouts.relay`.
    pub lease: Duration,
    /// Between the first and the second attempt.
    pub first_retry: Duration,
    /// Between two attempts at most.
    pub max_retry: Duration,
}

/// `[metering]`
#[derive(Debug, Clone)]
pub struct Metering {
    /// Whose word a key must rest on.
    pub key_policy: KeyPolicy,
    /// What happens to a CDR whose metering data does not hold.
    pub invalid_cdrs: InvalidCdrs,
    /// How far times may be apart.
    pub time_tolerance: Duration,
    /// How far energies may be apart, in kWh, exact and not negative.
    pub energy_tolerance_kwh: Decimal,
    /// By finding code in capitals. Codes nobody knows are for the composer of the program to complain about.
    pub severity: BTreeMap<String, Severity>,
}

/// `[cdrs]`
#[derive(Debug, Clone, Copy)]
pub struct Cdrs {
    /// Kept for receivers that do not answer.
    pub custody: bool,
    /// For how many days.
    pub custody_days: u32,
}

/// `[retention]`: for how many days each kind is kept; 0 is for ever.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// The octets of CDRs.
    pub cdrs_days: u32,
    /// Lines of the journal.
    pub journal_days: u32,
    /// Sessions in the mirror.
    pub sessions_days: u32,
    /// Objects that were deleted.
    pub deleted_days: u32,
    /// Duties that were given up.
    pub duties_days: u32,
}

/// `[mirror]`
#[derive(Debug, Clone, Copy)]
pub struct Mirror {
    /// Whether sessions are kept for lists.
    pub sessions: bool,
    /// Hours between two readings of what a data owner offers.
    pub pull_interval_h: u32,
}

/// `[registry]`
#[derive(Debug, Clone)]
pub struct Registry {
    /// The 32 secret bytes, in hex, that checkpoints are signed with; `None` when they are made once and kept in the database.
    pub signing_key: Option<Secret>,
    /// Between two checkpoints of a log that grows.
    pub checkpoint_interval: Duration,
    /// Whether keys may be registered whose private half everybody knows.
    pub test_keys: bool,
    /// Whether every registration must come with a signed sample.
    pub require_sample: bool,
    /// Requests a second to the public pages, for each address.
    pub public_rate: u32,
    /// Registrations submitted or changed a minute, for each operator.
    pub submissions_per_minute: u32,
}

/// `[smart_charging]`
#[derive(Debug, Clone)]
pub struct SmartCharging {
    /// Who decides.
    pub control: Control,
    /// How many profiles at once a party may set on a session.
    pub put_burst: u32,
    /// After how many seconds one more.
    pub put_interval_s: u32,
    /// How often at once it may ask for the active one.
    pub get_burst: u32,
    /// After how many seconds once more.
    pub get_interval_s: u32,
    /// Contracts, as the operator API takes them, each with its `id`; what one says is read by who knows contracts.
    pub contracts: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// `[metrics]`
#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    /// Whether everybody may read them, without a token.
    pub public: bool,
}

/// `[limits]`; `None` is without limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests a second, for each platform.
    pub platform_rate: Option<u32>,
    /// Requests a second, for each address.
    pub address_rate: Option<u32>,
    /// Wrong tokens within `wrong_tokens_window` after which an address is locked out.
    pub wrong_tokens: Option<u32>,
    /// The time in which wrong tokens are counted together.
    pub wrong_tokens_window: Duration,
    /// How long an address is locked out.
    pub lockout: Duration,
    /// Connections open at the same time.
    pub connections: u32,
    /// Connections open at the same time, for each address.
    pub connections_per_address: Option<u32>,
    /// To send the head of a request, from its first octet; to say hello, TLS included.
    pub head: Duration,
    /// To send the body of a request.
    pub body: Duration,
    /// To take an answer.
    pub answer: Duration,
    /// What large bodies may hold together, in octets.
    pub bodies: usize,
    /// Without a request on an open connection.
    pub keep_alive: Duration,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $word,)* }

        impl $name {
            /// As it is written in the configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }

            /// Reads the exact spelling.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$word),)* _ => None }
            }

            const WORDS: &'static [&'static str] = &[$($text,)*];
        }
    };
}

words! {
    /// Whose word a key must rest on for a CDR to be billable.
    KeyPolicy {
        /// The registry's.
        Registered = "registered",
        /// Also that of the CDR which brought the key.
        Delivered = "delivered",
    }
}

words! {
    /// What somebody with an operator token may do.
    OperatorRole {
        /// Everything.
        Operator = "operator",
        /// Read everything, and change nothing.
        Auditor = "auditor",
    }
}

words! {
    /// The header in which a trusted proxy says for whom it asks.
    ProxyHeader {
        /// `X-Forwarded-For`.
        XForwardedFor = "x-forwarded-for",
        /// `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
    }
}

words! {
    /// Who decides who may steer a session.
    Control {
        /// The hub: one party at a time.
        Ledger = "ledger",
        /// The CPO: every request is carried.
        Relay = "relay",
    }
}

words! {
    /// What happens to a CDR whose metering data does not hold.
    InvalidCdrs {
        /// It travels on, with a marker.
        Mark = "mark",
        /// It stays until an operator releases it or a new check verifies it.
        Hold = "hold",
        /// It is refused.
        Reject = "reject",
    }
}

words! {
    /// How grave a finding is.
    Severity {
        /// The CDR does not hold.
        Error = "error",
        /// Worth a look.
        Warning = "warning",
        /// Good to know.
        Info = "info",
    }
}

/// A configuration nobody can work with. The sentence names the key, and never repeats a value: it may be a secret.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file is not valid TOML in line {line}")]
    Syntax {
        /// Counted from 1.
        line: usize,
    },
    /// A value that makes no sense, or a key that does not exist.
    #[error("{key} {reason}")]
    Key {
        /// `section.key`, or the variable's name.
        key: String,
        /// What it must be.
        reason: String,
    },
    /// File and environment cannot be laid over one another.
    #[error("the configuration cannot be put together")]
    Merge(#[source] config::ConfigError),
}

impl ConfigError {
    fn key(key: &str, reason: impl Into<String>) -> Self {
        Self::Key {
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}

impl Config {
    /// Reads defaults, `path` (or `truewatt.toml` where there is one), and the environment.
    ///
    /// # Errors
    /// [`ConfigError`]; a named file must exist.
    #[allow(
        clippy::disallowed_methods,
        reason = "this room reads the environment so that no other has to"
    )]
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut environment = HashMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if name.starts_with("TRUEWATT__") {
                let value = value
                    .into_string()
                    .map_err(|_| ConfigError::key(&name, "must be UTF-8"))?;
                environment.insert(name, value);
            }
        }
        let file = match std::fs::read_to_string(path.unwrap_or(Path::new(DEFAULT_FILE))) {
            Ok(text) => Some(text),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                let path = path.unwrap_or(Path::new(DEFAULT_FILE)).to_owned();
                return Err(ConfigError::Unreadable { path, source });
            }
        };
        Self::from_parts(file.as_deref(), &environment)
    }

    /// The same from values: the text of a file, and variables by their full names.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_parts(file: Option<&str>, environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        Self::checked(Raw::merge(file, environment)?)
    }

    fn checked(raw: Raw) -> Result<Self, ConfigError> {
        let config = Self {
            server: Server {
                bind: bind(&raw)?,
                public_url: public_url(&raw)?,
                trusted_proxies: networks(&raw, "server.trusted_proxies")?,
                proxy_header: word(&raw, "server.proxy_header", ProxyHeader::parse, ProxyHeader::WORDS)?,
                tls: tls(&raw)?,
            },
            hub: Hub {
                country_code: matching(&raw, "hub.country_code", "two letters", |text| {
                    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
                })?,
                party_id: matching(&raw, "hub.party_id", "three letters or digits", |text| {
                    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })?,
                name: matching(&raw, "hub.name", "1 to 100 printable characters", |text| {
                    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
                })?,
            },
            database: Database {
                url: database_url(&raw)?,
            },
            operator: Operator {
                token: operator_token(&raw)?,
                tokens: lists::operator_tokens(&raw)?,
            },
            secrets: Secrets {
                key: lists::key_of_32_bytes("secrets.key", raw.text("secrets.key")?)?,
                previous_keys: lists::previous_keys(&raw)?,
            },
            outbound: Outbound {
                allow_http: raw.truth("outbound.allow_http")?,
                allow_private_networks: raw.truth("outbound.allow_private_networks")?,
                allowed_networks: lists::allowed_networks(&raw)?,
                identities: lists::identities(&raw)?,
            },
            timeouts: Timeouts {
                connect: seconds(&raw, "timeouts.connect_s", 1)?,
                relay: seconds(&raw, "timeouts.relay_s", 1)?,
                authorize: seconds(&raw, "timeouts.authorize_s", 1)?,
                command: seconds(&raw, "timeouts.command_s", 1)?,
                list: seconds(&raw, "timeouts.list_s", 1)?,
            },
            paging: Paging {
                max_limit: small(&raw, "paging.max_limit", 10_000)?,
            },
            credentials: Credentials {
                grace: seconds(&raw, "credentials.grace_s", 0)?,
            },
            presence: Presence {
                idle_check: seconds(&raw, "presence.idle_check_s", 1)?,
                check_interval: seconds(&raw, "presence.check_interval_s", 1)?,
                failures_until_offline: small(&raw, "presence.failures_until_offline", 1000)?,
            },
            duties: Duties {
                lease: seconds(&raw, "duties.lease_s", 1)?,
                first_retry: seconds(&raw, "duties.first_retry_s", 1)?,
                max_retry: seconds(&raw, "duties.max_retry_s", 1)?,
            },
            metering: Metering {
                key_policy: word(&raw, "metering.key_policy", KeyPolicy::parse, KeyPolicy::WORDS)?,
                invalid_cdrs: word(&raw, "metering.invalid_cdrs", InvalidCdrs::parse, InvalidCdrs::WORDS)?,
                time_tolerance: seconds(&raw, "metering.time_tolerance_s", 0)?,
                energy_tolerance_kwh: energy_tolerance(&raw)?,
                severity: severities(&raw)?,
            },
            cdrs: Cdrs {
                custody: raw.truth("cdrs.custody")?,
                custody_days: small(&raw, "cdrs.custody_days", 36_500)?,
            },
            retention: Retention {
                cdrs_days: days(&raw, "retention.cdrs_days")?,
                journal_days: days(&raw, "retention.journal_days")?,
                sessions_days: days(&raw, "retention.sessions_days")?,
                deleted_days: days(&raw, "retention.deleted_days")?,
                duties_days: days(&raw, "retention.duties_days")?,
            },
            mirror: Mirror {
                sessions: raw.truth("mirror.sessions")?,
                pull_interval_h: small(&raw, "mirror.pull_interval_h", 8_760)?,
            },
            registry: Registry {
                signing_key: lists::key_of_32_bytes("registry.signing_key", raw.text("registry.signing_key")?)?,
                checkpoint_interval: seconds(&raw, "registry.checkpoint_interval_s", 1)?,
                test_keys: raw.truth("registry.test_keys")?,
                require_sample: raw.truth("registry.require_sample")?,
                public_rate: small(&raw, "registry.public_rate", 1_000_000)?,
                submissions_per_minute: small(&raw, "registry.submissions_per_minute", 1_000_000)?,
            },
            limits: Limits {
                platform_rate: or_none(&raw, "limits.platform_rate", 1_000_000)?,
                address_rate: or_none(&raw, "limits.address_rate", 1_000_000)?,
                wrong_tokens: or_none(&raw, "limits.wrong_tokens", 1_000_000)?,
                wrong_tokens_window: seconds(&raw, "limits.wrong_tokens_window_s", 1)?,
                lockout: seconds(&raw, "limits.lockout_s", 1)?,
                connections: small(&raw, "limits.connections", 1_000_000)?,
                connections_per_address: or_none(&raw, "limits.connections_per_address", 1_000_000)?,
                head: seconds(&raw, "limits.head_s", 1)?,
                body: seconds(&raw, "limits.body_s", 1)?,
                answer: seconds(&raw, "limits.answer_s", 1)?,
                bodies: megabytes(&raw, "limits.bodies_mb")?,
                keep_alive: seconds(&raw, "limits.keep_alive_s", 1)?,
            },
            smart_charging: SmartCharging {
                control: word(&raw, "smart_charging.control", Control::parse, Control::WORDS)?,
                put_burst: small(&raw, "smart_charging.put_burst", 1_000)?,
                put_interval_s: small(&raw, "smart_charging.put_interval_s", 86_400)?,
                get_burst: small(&raw, "smart_charging.get_burst", 1_000)?,
                get_interval_s: small(&raw, "smart_charging.get_interval_s", 86_400)?,
                contracts: lists::contracts(&raw)?,
            },
            metrics: Metrics {
                public: raw.truth("metrics.public")?,
            },
            without_effect: raw.without_effect,
        };
        config.agree()?;
        Ok(config)
    }

    /// Checks values against one another.
    fn agree(&self) -> Result<(), ConfigError> {
        // A deadline within the time a connection may take could not say which of the two ran out (4002 or 4003, D-15).
        for (key, deadline) in [
            ("timeouts.relay_s", self.timeouts.relay),
            ("timeouts.authorize_s", self.timeouts.authorize),
            ("timeouts.command_s", self.timeouts.command),
            ("timeouts.list_s", self.timeouts.list),
        ] {
            if deadline <= self.timeouts.connect {
                return Err(ConfigError::key(key, "must be longer than timeouts.connect_s"));
            }
        }
        // A lease that ends during an attempt would let a second process make the same one.
        if self.duties.lease <= self.timeouts.relay {
            return Err(ConfigError::key(
                "duties.lease_s",
                "must be longer than timeouts.relay_s",
            ));
        }
        let kept = self.retention.cdrs_days;
        if kept != 0 && kept < KEPT_AT_LEAST_DAYS.max(self.cdrs.custody_days) {
            return Err(ConfigError::key(
                "retention.cdrs_days",
                "must be 0 (for ever), or at least 73 and not less than cdrs.custody_days: proof stays until the bill is settled",
            ));
        }
        if self.duties.max_retry < self.duties.first_retry {
            return Err(ConfigError::key(
                "duties.max_retry_s",
                "must not be shorter than duties.first_retry_s",
            ));
        }
        Ok(())
    }

    /// The effective configuration as TOML, secrets masked.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = self.table().to_string();
        for key in &self.without_effect {
            text.push_str(&format!("\n# {key} has no effect in this version"));
        }
        text.trim_end().to_owned() + "\n"
    }

    /// The effective configuration as JSON, secrets masked.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut table = self.table();
        if !self.without_effect.is_empty() {
            let keys = self.without_effect.iter().cloned().map(Value::String).collect();
            table.insert("without_effect".to_owned(), Value::Array(keys));
        }
        // Texts, whole numbers and truths only: nothing in it can fail to be JSON.
        serde_json::to_string_pretty(&table).unwrap_or_default() + "\n"
    }

    fn table(&self) -> Table {
        let text = |text: &str| Value::String(text.to_owned());
        let truth = Value::Boolean;
        let whole = |number: u32| Value::Integer(i64::from(number));
        let seconds = |duration: Duration| Value::Integer(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
        let severity = self
            .metering
            .severity
            .iter()
            .map(|(code, grave)| (code.clone(), text(grave.as_str())))
            .collect();
        let masked = |secret: &Option<Secret>| if secret.is_some() { "***" } else { "" };
        let (token, signing_key) = (masked(&self.operator.token), masked(&self.registry.signing_key));
        let secret_key = masked(&self.secrets.key);
        let previous_keys = self.secrets.previous_keys.iter().map(|_| text("***")).collect();
        let tokens = self.operator.tokens.iter().map(|one| {
            let members = [
                ("name", one.name.as_str()),
                ("role", one.role.as_str()),
                ("token", "***"),
            ];
            Value::Table(
                members
                    .map(|(name, value)| (name.to_owned(), text(value)))
                    .into_iter()
                    .collect(),
            )
        });
        let tokens = tokens.collect();
        let networks = self.outbound.allowed_networks.iter();
        let networks = networks.map(|network| text(&network.cidr())).collect();
        let identities = self.outbound.identities.iter();
        let identities = identities.map(|one| (one.name.clone(), one.table())).collect();
        let unlimited = |number: Option<u32>| whole(number.unwrap_or(0));
        let path = |path: Option<&Path>| text(&path.map(|path| path.display().to_string()).unwrap_or_default());
        let tls = self.server.tls.as_ref();
        let tls = [
            ("certificate".to_owned(), path(tls.map(|tls| tls.certificate.as_path()))),
            ("private_key".to_owned(), path(tls.map(|tls| tls.private_key.as_path()))),
        ];
        let proxies: Vec<String> = self.server.trusted_proxies.iter().map(Network::to_string).collect();
        let sections: [(&str, Vec<(&str, Value)>); 19] = [
            (
                "server",
                vec![
                    ("bind", text(&self.server.bind.to_string())),
                    ("public_url", text(&self.server.public_url)),
                    ("trusted_proxies", text(&proxies.join(", "))),
                    ("proxy_header", text(self.server.proxy_header.as_str())),
                    ("tls", Value::Table(tls.into_iter().collect())),
                ],
            ),
            (
                "hub",
                vec![
                    ("country_code", text(&self.hub.country_code)),
                    ("party_id", text(&self.hub.party_id)),
                    ("name", text(&self.hub.name)),
                ],
            ),
            ("database", vec![("url", text(&self.database.masked_url()))]),
            (
                "operator",
                vec![("token", text(token)), ("tokens", Value::Array(tokens))],
            ),
            (
                "secrets",
                vec![
                    ("key", text(secret_key)),
                    ("previous_keys", Value::Array(previous_keys)),
                ],
            ),
            (
                "outbound",
                vec![
                    ("allow_http", truth(self.outbound.allow_http)),
                    ("allow_private_networks", truth(self.outbound.allow_private_networks)),
                    ("allowed_networks", Value::Array(networks)),
                    ("identities", Value::Table(identities)),
                ],
            ),
            (
                "timeouts",
                vec![
                    ("connect_s", seconds(self.timeouts.connect)),
                    ("relay_s", seconds(self.timeouts.relay)),
                    ("authorize_s", seconds(self.timeouts.authorize)),
                    ("command_s", seconds(self.timeouts.command)),
                    ("list_s", seconds(self.timeouts.list)),
                ],
            ),
            ("paging", vec![("max_limit", whole(self.paging.max_limit))]),
            ("credentials", vec![("grace_s", seconds(self.credentials.grace))]),
            (
                "presence",
                vec![
                    ("idle_check_s", seconds(self.presence.idle_check)),
                    ("check_interval_s", seconds(self.presence.check_interval)),
                    ("failures_until_offline", whole(self.presence.failures_until_offline)),
                ],
            ),
            (
                "duties",
                vec![
                    ("lease_s", seconds(self.duties.lease)),
                    ("first_retry_s", seconds(self.duties.first_retry)),
                    ("max_retry_s", seconds(self.duties.max_retry)),
                ],
            ),
            (
                "metering",
                vec![
                    ("key_policy", text(self.metering.key_policy.as_str())),
                    ("invalid_cdrs", text(self.metering.invalid_cdrs.as_str())),
                    ("time_tolerance_s", seconds(self.metering.time_tolerance)),
                    // As text: a float might not be the decimal that is compared with.
                    (
                        "energy_tolerance_kwh",
                        text(&self.metering.energy_tolerance_kwh.to_string()),
                    ),
                    ("severity", Value::Table(severity)),
                ],
            ),
            (
                "cdrs",
                vec![
                    ("custody", truth(self.cdrs.custody)),
                    ("custody_days", whole(self.cdrs.custody_days)),
                ],
            ),
            (
                "retention",
                vec![
                    ("cdrs_days", whole(self.retention.cdrs_days)),
                    ("journal_days", whole(self.retention.journal_days)),
                    ("sessions_days", whole(self.retention.sessions_days)),
                    ("deleted_days", whole(self.retention.deleted_days)),
                    ("duties_days", whole(self.retention.duties_days)),
                ],
            ),
            (
                "mirror",
                vec![
                    ("sessions", truth(self.mirror.sessions)),
                    ("pull_interval_h", whole(self.mirror.pull_interval_h)),
                ],
            ),
            (
                "registry",
                vec![
                    ("signing_key", text(signing_key)),
                    ("checkpoint_interval_s", seconds(self.registry.checkpoint_interval)),
                    ("test_keys", truth(self.registry.test_keys)),
                    ("require_sample", truth(self.registry.require_sample)),
                    ("public_rate", whole(self.registry.public_rate)),
                    ("submissions_per_minute", whole(self.registry.submissions_per_minute)),
                ],
            ),
            (
                "limits",
                vec![
                    ("platform_rate", unlimited(self.limits.platform_rate)),
                    ("address_rate", unlimited(self.limits.address_rate)),
                    ("wrong_tokens", unlimited(self.limits.wrong_tokens)),
                    ("wrong_tokens_window_s", seconds(self.limits.wrong_tokens_window)),
                    ("lockout_s", seconds(self.limits.lockout)),
                    ("connections", whole(self.limits.connections)),
                    (
                        "connections_per_address",
                        unlimited(self.limits.connections_per_address),
                    ),
                    ("head_s", seconds(self.limits.head)),
                    ("body_s", seconds(self.limits.body)),
                    ("answer_s", seconds(self.limits.answer)),
                    (
                        "bodies_mb",
                        whole(u32::try_from(self.limits.bodies / MEGABYTE).unwrap_or(u32::MAX)),
                    ),
                    ("keep_alive_s", seconds(self.limits.keep_alive)),
                ],
            ),
            (
                "smart_charging",
                vec![
                    ("control", text(self.smart_charging.control.as_str())),
                    ("put_burst", whole(self.smart_charging.put_burst)),
                    ("put_interval_s", whole(self.smart_charging.put_interval_s)),
                    ("get_burst", whole(self.smart_charging.get_burst)),
                    ("get_interval_s", whole(self.smart_charging.get_interval_s)),
                    ("contracts", lists::written_contracts(&self.smart_charging.contracts)),
                ],
            ),
            ("metrics", vec![("public", truth(self.metrics.public))]),
        ];
        let table = |keys: Vec<(&str, Value)>| keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        sections
            .into_iter()
            .map(|(name, keys)| (name.to_owned(), Value::Table(table(keys))))
            .collect()
    }
}

fn matching(raw: &Raw, key: &str, what: &str, fits: impl Fn(&str) -> bool) -> Result<String, ConfigError> {
    let text = raw.text(key)?;
    if fits(&text) {
        Ok(text)
    } else {
        Err(ConfigError::key(key, format!("must be {what}")))
    }
}

fn word<T>(raw: &Raw, key: &str, parse: impl Fn(&str) -> Option<T>, words: &[&str]) -> Result<T, ConfigError> {
    parse(&raw.text(key)?).ok_or_else(|| ConfigError::key(key, format!("must be one of {}", words.join(", "))))
}

/// Seconds from `least` to a year.
fn seconds(raw: &Raw, key: &str, least: u64) -> Result<Duration, ConfigError> {
    raw.whole(key, least, 31_536_000).map(Duration::from_secs)
}

/// A whole number from 1 to `most`.
fn small(raw: &Raw, key: &str, most: u32) -> Result<u32, ConfigError> {
    let number = raw.whole(key, 1, u64::from(most))?;
    Ok(u32::try_from(number).unwrap_or(most))
}

/// A billing month and six weeks (key-registry.md CAL-R5).
const KEPT_AT_LEAST_DAYS: u32 = 31 + 42;

/// A period in days; 0 is for ever.
fn days(raw: &Raw, key: &str) -> Result<u32, ConfigError> {
    let number = raw.whole(key, 0, 36_500)?;
    Ok(u32::try_from(number).unwrap_or(0))
}

/// A whole number from 0 to `most`; 0 is `None`.
fn or_none(raw: &Raw, key: &str, most: u32) -> Result<Option<u32>, ConfigError> {
    let number = raw.whole(key, 0, u64::from(most))?;
    Ok(u32::try_from(number).ok().filter(|number| *number > 0))
}

/// Megabytes, enough for two of the largest bodies.
fn megabytes(raw: &Raw, key: &str) -> Result<usize, ConfigError> {
    let number = raw.whole(key, 20, 1_000_000)?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(MEGABYTE))
}

const MEGABYTE: usize = 1024 * 1024;

fn networks(raw: &Raw, key: &str) -> Result<Vec<Network>, ConfigError> {
    let text = raw.text(key)?;
    let named = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    named
        .map(|one| {
            Network::parse(one)
                .ok_or_else(|| ConfigError::key(key, "must be addresses or networks such as 10.0.0.0/8, with commas"))
        })
        .collect()
}

fn tls(raw: &Raw) -> Result<Option<Tls>, ConfigError> {
    let file = |key| {
        raw.text(key)
            .map(|path| (!path.is_empty()).then(|| PathBuf::from(path)))
    };
    let certificate = file("server.tls.certificate")?;
    match (certificate, file("server.tls.private_key")?) {
        (None, None) => Ok(None),
        (Some(certificate), Some(private_key)) => Ok(Some(Tls {
            certificate,
            private_key,
        })),
        (None, Some(_)) => Err(ConfigError::key(
            "server.tls.certificate",
            "must be given together with server.tls.private_key",
        )),
        (Some(_), None) => Err(ConfigError::key(
            "server.tls.private_key",
            "must be given together with server.tls.certificate",
        )),
    }
}

fn bind(raw: &Raw) -> Result<SocketAddr, ConfigError> {
    let text = raw.text("server.bind")?;
    text.parse()
        .map_err(|_| ConfigError::key("server.bind", "must be an address and a port such as 127.0.0.1:8080"))
}

fn public_url(raw: &Raw) -> Result<String, ConfigError> {
    let key = "server.public_url";
    let text = raw.text(key)?;
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    // 100 characters leave room for every path behind it within the 255 of an OCPI URL (T-46).
    if text.len() > 100 || text.contains(char::is_whitespace) || !Url::parse(&text).is_ok_and(|url| plain(&url)) {
        let reason = "must be an http or https URL of at most 100 characters without user, query and fragment";
        return Err(ConfigError::key(key, reason));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn database_url(raw: &Raw) -> Result<Secret, ConfigError> {
    let key = "database.url";
    let text = raw.text(key)?;
    let sqlite = text.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty());
    let postgres = (text.starts_with("postgres://") || text.starts_with("postgresql://")) && {
        let (first, others) = split_addresses(&text);
        let is_address = |host: &str| !host.is_empty() && Url::parse(&format!("postgres://{host}/")).is_ok();
        Url::parse(&first).is_ok() && others.split(',').skip(1).all(is_address)
    };
    if sqlite || postgres {
        Ok(Secret::new(text))
    } else {
        Err(ConfigError::key(
            key,
            "must be sqlite://path or postgres://user:password@host:port/name, with up to three hosts separated by commas",
        ))
    }
}

fn operator_token(raw: &Raw) -> Result<Option<Secret>, ConfigError> {
    let key = "operator.token";
    let text = raw.text(key)?;
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok((!text.is_empty()).then(|| Secret::new(text)))
    } else {
        Err(ConfigError::key(
            key,
            "must be printable ASCII characters without blanks, or empty",
        ))
    }
}

fn energy_tolerance(raw: &Raw) -> Result<Decimal, ConfigError> {
    let key = "metering.energy_tolerance_kwh";
    let exact: Option<Decimal> = Decimal::from_str_exact(&raw.decimal(key)?).ok();
    exact
        .filter(|kwh| !kwh.is_sign_negative() && *kwh <= Decimal::ONE_THOUSAND)
        .ok_or_else(|| ConfigError::key(key, "must be a decimal number from 0 to 1000"))
}

fn severities(raw: &Raw) -> Result<BTreeMap<String, Severity>, ConfigError> {
    let mut found = BTreeMap::new();
    for key in raw.keys_of(raw::SEVERITY) {
        let code = key.strip_prefix(raw::SEVERITY).unwrap_or_default();
        if code.is_empty()
            || !code
                .bytes()
                .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
        {
            return Err(ConfigError::key(&key, "must be named like a finding code, in capitals"));
        }
        found.insert(code.to_owned(), word(raw, &key, Severity::parse, Severity::WORDS)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn from(file: &str) -> Result<Config, ConfigError> {
        Config::from_parts(Some(file), &HashMap::new())
    }

    // design.md 3.2, N-09
    #[test]
    fn without_file_and_environment_the_documented_defaults_hold() {
        let config = Config::from_parts(None, &HashMap::new()).unwrap();
        assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(config.server.public_url, "http://127.0.0.1:8080");
        assert_eq!(
            (
                config.hub.country_code.as_str(),
                config.hub.party_id.as_str(),
                config.hub.name.as_str()
            ),
            ("DE", "TWH", "Truewatt")
        );
        assert_eq!(config.database.url.expose(), "sqlite://truewatt.db");
        assert!(config.operator.token.is_none());
        assert!(!config.outbound.allow_http && !config.outbound.allow_private_networks);
        let timeouts = config.timeouts;
        assert_eq!(
            [
                timeouts.connect,
                timeouts.relay,
                timeouts.authorize,
                timeouts.command,
                timeouts.list
            ]
            .map(|time| time.as_secs()),
            [3, 15, 10, 10, 30]
        );
        assert_eq!(
            (config.paging.max_limit, config.credentials.grace.as_secs()),
            (100, 300)
        );
        assert_eq!(
            (
                config.presence.idle_check.as_secs(),
                config.presence.check_interval.as_secs()
            ),
            (300, 30)
        );
        assert_eq!(config.presence.failures_until_offline, 2);
        let duties = config.duties;
        assert_eq!(
            [duties.lease, duties.first_retry, duties.max_retry].map(|time| time.as_secs()),
            [30, 5, 3600]
        );
        assert_eq!(
            (config.metering.key_policy, config.metering.invalid_cdrs),
            (KeyPolicy::Registered, InvalidCdrs::Mark)
        );
        assert_eq!(config.metering.time_tolerance.as_secs(), 60);
        assert_eq!(config.metering.energy_tolerance_kwh, Decimal::new(1, 2));
        let severity: Vec<_> = config
            .metering
            .severity
            .iter()
            .map(|(code, grave)| (code.as_str(), *grave))
            .collect();
        assert_eq!(
            severity,
            [
                ("CONTRACT_MISMATCH", Severity::Warning),
                ("METER_ID_MISMATCH", Severity::Warning)
            ]
        );
        assert_eq!((config.cdrs.custody, config.cdrs.custody_days), (true, 30));
        assert_eq!((config.mirror.sessions, config.mirror.pull_interval_h), (true, 24));
        let kept = config.retention;
        assert_eq!(
            (
                kept.cdrs_days,
                kept.journal_days,
                kept.sessions_days,
                kept.deleted_days,
                kept.duties_days
            ),
            (730, 180, 90, 30, 90)
        );
        assert!(config.without_effect.is_empty());
    }

    // N-09
    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let file =
            "[paging]\nmax_limit = 50\n[hub]\nname = \"From file\"\n[metering.severity]\nPHASE_FAILURE = \"error\"";
        let variables = environment(&[
            ("TRUEWATT__PAGING__MAX_LIMIT", "7"),
            ("TRUEWATT__CDRS__CUSTODY", "false"),
            ("TRUEWATT__METERING__ENERGY_TOLERANCE_KWH", "0.10000000000000000001"),
            ("TRUEWATT__METERING__SEVERITY__CONTRACT_MISMATCH", "info"),
            ("TRUEWATT__OPERATOR__TOKEN", "007e1"),
            ("TRUEWATT_TOKEN", "of another command"),
            ("PATH", "/bin"),
        ]);
        let config = Config::from_parts(Some(file), &variables).unwrap();
        assert_eq!(
            (config.paging.max_limit, config.hub.name.as_str(), config.cdrs.custody),
            (7, "From file", false)
        );
        assert_eq!(
            config.metering.energy_tolerance_kwh.to_string(),
            "0.10000000000000000001"
        );
        assert_eq!(config.metering.severity["CONTRACT_MISMATCH"], Severity::Info);
        assert_eq!(config.metering.severity["PHASE_FAILURE"], Severity::Error);
        assert_eq!(config.metering.severity["METER_ID_MISMATCH"], Severity::Warning);
        // A token that looks like a number stays the text it is.
        assert_eq!(config.operator.token.unwrap().expose(), "007e1");
    }

    #[test]
    fn nonsense_is_answered_by_a_sentence_that_names_the_key() {
        for (file, key) in [
            ("[server]\nbind = \"8080\"", "server.bind"),
            ("[server]\nbind = 8080", "server.bind"),
            ("[server]\npublic_url = \"hub.example\"", "server.public_url"),
            ("[server]\npublic_url = \"https://hub.example/?x\"", "server.public_url"),
            ("[server]\npublic_url = \"ftp://hub.example\"", "server.public_url"),
            ("[server]\nport = 1", "server.port"),
            ("serve = 1", "serve"),
            ("server = 1", "server"),
            ("[hub]\ncountry_code = \"DEU\"", "hub.country_code"),
            ("[hub]\nparty_id = \"T/H\"", "hub.party_id"),
            ("[hub]\nname = \"\"", "hub.name"),
            ("[database]\nurl = \"mysql://x\"", "database.url"),
            ("[database]\nurl = \"sqlite://\"", "database.url"),
            ("[operator]\ntoken = \"a b\"", "operator.token"),
            ("[outbound]\nallow_http = \"yes\"", "outbound.allow_http"),
            ("[timeouts]\nconnect_s = 0", "timeouts.connect_s"),
            ("[timeouts]\nconnect_s = 2.5", "timeouts.connect_s"),
            ("[timeouts]\nconnect_s = -1", "timeouts.connect_s"),
            ("[timeouts]\nconnect_s = 15", "timeouts.relay_s"),
            ("[timeouts]\nauthorize_s = 3", "timeouts.authorize_s"),
            ("[timeouts]\ncommand_s = 2", "timeouts.command_s"),
            ("[timeouts]\nlist_s = 3", "timeouts.list_s"),
            ("[timeouts]\nrelay_s = 30", "duties.lease_s"),
            ("[duties]\nfirst_retry_s = 9\nmax_retry_s = 8", "duties.max_retry_s"),
            ("[duties]\nmax_retry_s = 99999999999", "duties.max_retry_s"),
            ("[paging]\nmax_limit = 0", "paging.max_limit"),
            ("[paging]\nmax_limit = [1]", "paging.max_limit"),
            ("[metering]\nkey_policy = \"any\"", "metering.key_policy"),
            ("[metering]\ninvalid_cdrs = \"Mark\"", "metering.invalid_cdrs"),
            (
                "[metering]\nenergy_tolerance_kwh = -0.01",
                "metering.energy_tolerance_kwh",
            ),
            (
                "[metering]\nenergy_tolerance_kwh = \"some\"",
                "metering.energy_tolerance_kwh",
            ),
            (
                "[metering]\nenergy_tolerance_kwh = nan",
                "metering.energy_tolerance_kwh",
            ),
            (
                "[metering.severity]\nPHASE_FAILURE = \"fatal\"",
                "metering.severity.PHASE_FAILURE",
            ),
            (
                "[metering.severity]\nphase_failure = \"info\"",
                "metering.severity.phase_failure",
            ),
            ("[cdrs]\ncustody_days = 0", "cdrs.custody_days"),
            ("[mirror]\npull_interval_h = 0", "mirror.pull_interval_h"),
            ("[retention]\ncdrs_days = 72", "retention.cdrs_days"),
            (
                "[retention]\ncdrs_days = 99\n[cdrs]\ncustody_days = 100",
                "retention.cdrs_days",
            ),
            ("[retention]\njournal_days = -1", "retention.journal_days"),
            ("[server]\ntrusted_proxies = \"proxy\"", "server.trusted_proxies"),
            ("[server]\ntrusted_proxies = \"10.0.0.0/33\"", "server.trusted_proxies"),
            ("[server]\nproxy_header = \"x-real-ip\"", "server.proxy_header"),
            ("[server.tls]\ncertificate = \"a.pem\"", "server.tls.private_key"),
            ("[server.tls]\nprivate_key = \"a.pem\"", "server.tls.certificate"),
            ("[limits]\nplatform_rate = -1", "limits.platform_rate"),
            ("[limits]\nhead_s = 0", "limits.head_s"),
            ("[limits]\nconnections = 0", "limits.connections"),
        ] {
            let error = from(file).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key} ")), "{file}: {error}");
        }
        for name in [
            "TRUEWATT__SERVER__PORT",
            "TRUEWATT__X",
            "TRUEWATT__",
            "TRUEWATT__SERVER__",
            "TRUEWATT__A[B",
        ] {
            assert!(
                Config::from_parts(None, &environment(&[(name, "1")])).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn smart_charging_is_the_ledgers_unless_it_is_only_to_be_carried() {
        let control = |file: &str| from(file).map(|config| config.smart_charging.control);
        assert_eq!(control("").unwrap(), Control::Ledger);
        assert_eq!(
            control("[smart_charging]\ncontrol = \"relay\"").unwrap(),
            Control::Relay
        );
        let unknown = control("[smart_charging]\ncontrol = \"first\"").unwrap_err();
        assert!(unknown.to_string().contains("smart_charging.control"), "{unknown}");
        let never = control("[smart_charging]\nput_burst = 0").unwrap_err();
        assert!(never.to_string().contains("smart_charging.put_burst"), "{never}");
    }

    #[test]
    fn secrets_are_masked_wherever_a_configuration_is_printed() {
        let file = "[operator]\ntoken = \"tell-nobody\"\n[database]\nurl = \"postgres://hub:tell-nobody@db:5432/x?password=tell-nobody\"";
        let config = from(file).unwrap();
        for printed in [config.to_toml(), config.to_json(), format!("{config:?}")] {
            assert!(!printed.contains("tell-nobody"), "{printed}");
            assert!(printed.contains("***"), "{printed}");
        }
        assert!(config.to_toml().contains("postgres://hub:***@db:5432/x"));
        for broken in [
            "[operator]\ntoken = \"tell-nobody",
            "[operator]\ntoken = \"tell-nobody\" x",
        ] {
            let error = from(broken).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("line 2") && !shown.contains("tell-nobody"), "{shown}");
        }
    }

    #[test]
    fn postgresql_may_have_several_addresses_and_none_shows_the_password() {
        let of = |url: &str| from(&format!("[database]\nurl = \"{url}\""));
        for (url, shown) in [
            (
                "postgres://hub:secret@db1:5432,db2:5433/x",
                "postgres://hub:***@db1:5432,db2:5433/x",
            ),
            (
                "postgres://hub:secret@db1,db2/x?target_session_attrs=read-write",
                "postgres://hub:***@db1,db2/x?***",
            ),
            (
                "postgresql://hub@10.0.0.1:1,10.0.0.2:2,10.0.0.3:3/x",
                "postgresql://hub@10.0.0.1:1,10.0.0.2:2,10.0.0.3:3/x",
            ),
        ] {
            assert_eq!(of(url).unwrap().database.masked_url(), shown);
        }
        for nonsense in [
            "postgres://db1:x,db2/x",
            "postgres://db1,/x",
            "postgres://db1,db2:99999/x",
        ] {
            let refused = of(nonsense).unwrap_err().to_string();
            assert!(refused.contains("database.url"), "{refused}");
        }
    }

    #[test]
    fn what_is_printed_is_what_holds() {
        let config =
            from("[paging]\nmax_limit = 7\n[metering]\nenergy_tolerance_kwh = 0.05\n[hub]\nname = \"a \\\"b\\\"\"\n[server]\ntrusted_proxies = \"10.0.0.0/8,::1\"\n[server.tls]\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"")
                .unwrap();
        let again = from(&config.to_toml()).unwrap();
        assert_eq!(again.to_toml(), config.to_toml());
        assert_eq!(again.metering.energy_tolerance_kwh, Decimal::new(5, 2));
        let json: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
        assert_eq!(json["paging"]["max_limit"], 7);
        assert_eq!(json["hub"]["name"], "a \"b\"");
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        let error = Config::load(Some(Path::new("/nonexistent/truewatt.toml"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the configuration file /nonexistent/truewatt.toml cannot be read"
        );
    }
}
