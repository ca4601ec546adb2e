//! A snapshot of the directory: platforms, the parties and roles they host, their endpoints, and whether they can be reached.
//!
//! ```text
//!  Directory ──► Platform (one OCPI connection, one token pair) ──► PartyRole (country_code + party_id in one role)
//! ```
//!
//! A snapshot never changes; `parties` replaces it as a whole. That is what lets a request be authenticated and routed
//! without a database read and without a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::agreements::Agreements;
pub use crate::config::InvalidCdrs;
use crate::config::Secret;
use crate::ocpi::headers::TokenForm;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::versions::{self, Endpoint, Version};

/// Who is connected, as of one instant.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The hub's own party, the only one it speaks for (CR-38).
    pub hub: PartyId,
    /// Who may exchange what with whom (D-17).
    pub agreements: Agreements,
    platforms: BTreeMap<PlatformId, Arc<Platform>>,
    hosts: HashMap<(PartyId, Role), PlatformId>,
    parties: HashMap<PartyId, Vec<Role>>,
}

/// One OCPI connection: one token pair, one set of endpoints, any number of parties (CR-37).
#[derive(Clone, Debug)]
pub struct Platform {
    /// The hub's own name for the connection.
    pub id: PlatformId,
    /// What the operator calls it.
    pub name: String,
    /// Whether it may be called now; all parties of a platform change together (HCI-11).
    pub status: PlatformStatus,
    /// The version registered, `None` before the first handshake.
    pub version: Option<Version>,
    /// The peer's versions URL, `None` before the first handshake.
    pub versions_url: Option<String>,
    /// What the peer's version details listed (U-01: never built by convention).
    pub endpoints: Vec<Endpoint>,
    /// Every party and role the platform may register, whatever became of it.
    pub parties: Vec<PartyRole>,
    /// What the operator decided for this platform.
    pub options: PlatformOptions,
    /// The token the peer issued: what the hub presents when it calls (T-12).
    pub token_out: Option<Secret>,
    /// How that token is written on the wire (D-01).
    pub token_form: TokenForm,
}

/// One party in one role on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyRole {
    /// The party, in the spelling it registered (D-04).
    pub party: PartyId,
    /// The role.
    pub role: Role,
    /// The business name it registered, or the operator's word for it before.
    pub name: String,
    /// The state of this role, already lowered to that of its platform.
    pub status: PlatformStatus,
}

/// The words of HubClientInfo (HCI-05), used for platforms and for roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlatformStatus {
    /// Configured by the operator, never registered. Gets no request (R-43).
    Planned,
    /// Registered and, as far as known, reachable.
    Connected,
    /// Registered, not reachable at present. Gets nothing but alive checks (R-43).
    Offline,
    /// Stopped by the operator, by the peer's DELETE, or a role the peer dropped. Gets no request (R-43).
    Suspended,
}

/// What the operator decided for one platform; every member acts in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformOptions {
    /// How tokens are written towards this peer and expected from it (D-01).
    pub token_encoding: TokenEncoding,
    /// Hosts (`name` or `name:port`) that may see the peer's token beside those of its versions URL and endpoints (N-05).
    pub allowed_hosts: Vec<String>,
    /// When the metering marker is added to a CDR for this receiver.
    pub metering_marker: MarkerWhen,
    /// What a CDR without proof means for this receiver; `None` leaves it to the hub's configuration.
    pub invalid_cdrs: Option<InvalidCdrs>,
    /// Whether the hub keeps CDRs for this receiver while it does not answer; `None` leaves it to the configuration.
    pub custody: Option<bool>,
    /// Whether custom modules are announced to this platform and routed from and to it (U-09, V-09).
    pub custom_modules: bool,
    /// Whether the hub's own module `publickeys` is for this platform: it registers keys there, and is told of published ones.
    pub publickeys: bool,
    /// Whether the hub's own module `cdrvalidations` is for this platform: its CPOs are told what is wrong with their CDRs.
    pub cdrvalidations: bool,
    /// Whether what this platform sends from party to party is refused where it lacks what the specification requires; otherwise it
    /// passes as it is and the oddity is noted (N-08, N-09, D-05).
    pub strict: bool,
    /// Whether a registration of a key by this platform must come with a signed sample; `None` leaves it to the configuration (PC-18).
    pub require_sample: Option<bool>,
    /// The identity (`[outbound.identities.NAME]`) that is shown where the hub calls this peer: mutual TLS.
    pub client_certificate: Option<String>,
    /// Whether this platform is told the newest state of what was broadcast while it could not hear it, once it can (design.md 3.7).
    pub catch_up: bool,
    /// Deadlines for requests to this peer; absent ones come from the configuration.
    pub timeouts: PlatformTimeouts,
}

/// Deadlines of one platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlatformTimeouts {
    /// From the first byte sent to the last received.
    pub relay: Option<Duration>,
}

/// How credentials tokens are written (D-01).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenEncoding {
    /// By version: Base64 for 2.2.1; for 2.2 Base64 with one raw attempt during registration, remembered.
    #[default]
    Auto,
    /// Base64 always, raw refused.
    Base64,
    /// Raw when sending; either form accepted.
    Raw,
}

/// When the metering marker is added to a CDR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MarkerWhen {
    /// Whenever the CDR is not billable.
    #[default]
    OnProblem,
    /// To every CDR.
    Always,
    /// Never: the header and the report must do.
    Never,
}

impl Directory {
    /// A snapshot of `platforms` as seen by the hub that is `hub`.
    ///
    /// When two platforms list the same party and role (the store forbids it) the first by id wins.
    #[must_use]
    pub fn new(hub: PartyId, platforms: impl IntoIterator<Item = Platform>) -> Directory {
        let platforms = platforms
            .into_iter()
            .map(|p| (p.id.clone(), Arc::new(p)))
            .collect::<BTreeMap<_, _>>();
        let mut hosts = HashMap::new();
        let mut parties: HashMap<PartyId, Vec<Role>> = HashMap::new();
        for platform in platforms.values() {
            for role in &platform.parties {
                hosts
                    .entry((role.party.clone(), role.role))
                    .or_insert_with(|| platform.id.clone());
                parties.entry(role.party.clone()).or_default().push(role.role);
            }
        }
        Directory {
            hub,
            agreements: Agreements::default(),
            platforms,
            hosts,
            parties,
        }
    }

    /// The same directory under these agreements.
    #[must_use]
    pub fn under(mut self, agreements: Agreements) -> Directory {
        self.agreements = agreements;
        self
    }

    /// The platform with that id.
    #[must_use]
    pub fn platform(&self, id: &PlatformId) -> Option<Arc<Platform>> {
        self.platforms.get(id).cloned()
    }

    /// Where a party lives in a role, whatever its state: the caller looks at the status (R-40, R-42).
    #[must_use]
    pub fn host(&self, party: &PartyId, role: Role) -> Option<(Arc<Platform>, PartyRole)> {
        let platform = self.platform(self.hosts.get(&(party.clone(), role))?)?;
        let entry = platform.party_role(party, role)?.clone();
        Some((platform, entry))
    }

    /// Whether any platform lists the party in any role.
    #[must_use]
    pub fn knows(&self, party: &PartyId) -> bool {
        self.parties.contains_key(party)
    }

    /// The roles a party is listed with, over all platforms.
    #[must_use]
    pub fn roles_of(&self, party: &PartyId) -> &[Role] {
        self.parties.get(party).map_or(&[], Vec::as_slice)
    }

    /// Every platform, in the order of their ids.
    pub fn platforms(&self) -> impl Iterator<Item = &Arc<Platform>> {
        self.platforms.values()
    }

    /// The same directory with the liveness of one platform changed: CONNECTED and OFFLINE only.
    ///
    /// A platform that is PLANNED or SUSPENDED is returned as it was: silence or noise does not move it (HCI-17).
    #[must_use]
    pub fn with_liveness(&self, id: &PlatformId, offline: bool) -> Directory {
        let mut changed = self.clone();
        let Some(platform) = changed.platforms.get_mut(id) else {
            return changed;
        };
        let mut next = Platform::clone(platform);
        next.set_liveness(offline);
        *platform = Arc::new(next);
        changed
    }
}

impl Platform {
    /// Whether the party is one this platform speaks for now: listed and registered, in any role (T-05, R-06).
    #[must_use]
    pub fn has(&self, party: &PartyId) -> bool {
        self.parties
            .iter()
            .any(|p| p.party == *party && p.status.is_registered())
    }

    /// Whether messages of and to the party pass through this platform, in any of its roles ([`Platform::is_live`]).
    #[must_use]
    pub fn carries(&self, party: &PartyId) -> bool {
        self.live().any(|one| one.party == *party)
    }

    /// Whether a party can speak and be spoken to in a role: registered, or, on a peer hub, announced (R-06, D-26).
    ///
    /// A peer hub's credentials list only itself. Until it can announce its parties by HubClientInfo, those the operator listed for
    /// its platform count as announced.
    #[must_use]
    pub fn is_live(&self, entry: &PartyRole) -> bool {
        entry.status.is_registered() || (entry.status != PlatformStatus::Suspended && self.is_hub_peer())
    }

    /// Every party and role that is live.
    pub fn live(&self) -> impl Iterator<Item = &PartyRole> {
        self.parties.iter().filter(|entry| self.is_live(entry))
    }

    /// Whether the party is registered here in that role.
    #[must_use]
    pub fn has_role(&self, party: &PartyId, role: Role) -> bool {
        self.party_role(party, role).is_some_and(|p| p.status.is_registered())
    }

    /// The entry of a party and role, whatever its state.
    #[must_use]
    pub fn party_role(&self, party: &PartyId, role: Role) -> Option<&PartyRole> {
        self.parties.iter().find(|p| p.party == *party && p.role == role)
    }

    /// The registered parties with that role (R-07: infer `from` when there is exactly one).
    pub fn parties_with(&self, role: Role) -> impl Iterator<Item = &PartyRole> {
        self.parties
            .iter()
            .filter(move |p| p.role == role && p.status.is_registered())
    }

    /// The URL the peer listed for a module's interface.
    #[must_use]
    pub fn endpoint(&self, module: &str, interface: InterfaceRole) -> Option<&str> {
        versions::endpoint(&self.endpoints, module, interface)
    }

    /// Whether the peer is itself a hub, so that it may carry the words of parties it announced (R-06, D-13).
    #[must_use]
    pub fn is_hub_peer(&self) -> bool {
        self.parties_with(Role::Hub).next().is_some()
    }

    /// Whether the peer ended the connection with DELETE (CR-42): suspended, once registered, and no outbound token left.
    ///
    /// A platform suspended by the operator keeps its token, one that never registered has no version.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.status == PlatformStatus::Suspended && self.token_out.is_none() && self.version.is_some()
    }

    /// Moves the platform and its registered parties between CONNECTED and OFFLINE.
    pub fn set_liveness(&mut self, offline: bool) {
        let to = if offline {
            PlatformStatus::Offline
        } else {
            PlatformStatus::Connected
        };
        if !self.status.is_registered() {
            return;
        }
        self.status = to;
        for party in self.parties.iter_mut().filter(|p| p.status.is_registered()) {
            party.status = to;
        }
    }
}

impl PlatformStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PlatformStatus::Planned => "PLANNED",
            PlatformStatus::Connected => "CONNECTED",
            PlatformStatus::Offline => "OFFLINE",
            PlatformStatus::Suspended => "SUSPENDED",
        }
    }

    /// The status a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<PlatformStatus> {
        [
            PlatformStatus::Planned,
            PlatformStatus::Connected,
            PlatformStatus::Offline,
            PlatformStatus::Suspended,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }

    /// CONNECTED or OFFLINE: the handshake was made and still holds.
    #[must_use]
    pub fn is_registered(self) -> bool {
        matches!(self, PlatformStatus::Connected | PlatformStatus::Offline)
    }

    /// The state of a role on a platform in the state `platform`: a role is never better off than its platform.
    #[must_use]
    pub fn lowered_to(self, platform: PlatformStatus) -> PlatformStatus {
        match platform {
            PlatformStatus::Suspended => PlatformStatus::Suspended,
            _ if !self.is_registered() => self,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn party(text: &str) -> PartyId {
        PartyId::from_slash(text).unwrap()
    }

    fn platform(id: &str, status: PlatformStatus, parties: &[(&str, Role, PlatformStatus)]) -> Platform {
        Platform {
            id: PlatformId::from(id),
            name: id.to_owned(),
            status,
            version: Some(Version::V2_2_1),
            versions_url: None,
            endpoints: Vec::new(),
            parties: parties
                .iter()
                .map(|(text, role, own)| PartyRole {
                    party: party(text),
                    role: *role,
                    name: String::new(),
                    status: own.lowered_to(status),
                })
                .collect(),
            options: PlatformOptions::default(),
            token_out: None,
            token_form: TokenForm::Base64,
        }
    }

    use PlatformStatus::{Connected, Offline, Planned, Suspended};

    #[test]
    fn parties_are_found_in_any_spelling_of_their_ids() {
        // T-42, D-04
        let directory = Directory::new(
            party("DE/TWH"),
            [platform("p1", Connected, &[("DE/AbC", Role::Cpo, Connected)])],
        );
        let (host, role) = directory.host(&party("de/aBc"), Role::Cpo).unwrap();
        assert_eq!(host.id.to_string(), "p1");
        assert_eq!(role.party.to_string(), "DE/AbC");
        assert!(directory.knows(&party("de/abc")));
        assert!(directory.host(&party("DE/ABC"), Role::Emsp).is_none());
        assert!(!directory.knows(&party("DE/ABD")));
    }

    #[test]
    fn a_platform_speaks_only_for_registered_parties() {
        // R-06, CR-41
        let one = platform(
            "p1",
            Connected,
            &[
                ("DE/ABC", Role::Cpo, Connected),
                ("DE/NEW", Role::Cpo, Planned),
                ("DE/OLD", Role::Cpo, Suspended),
            ],
        );
        assert!(one.has(&party("DE/ABC")));
        assert!(!one.has(&party("DE/NEW")));
        assert!(!one.has(&party("DE/OLD")));
        assert!(one.has_role(&party("DE/ABC"), Role::Cpo));
        assert!(!one.has_role(&party("DE/ABC"), Role::Emsp));
        assert_eq!(one.parties_with(Role::Cpo).count(), 1);
    }

    #[test]
    fn all_parties_of_a_platform_change_together() {
        // HCI-11
        let directory = Directory::new(
            party("DE/TWH"),
            [platform(
                "p1",
                Connected,
                &[
                    ("DE/ABC", Role::Cpo, Connected),
                    ("DE/ABC", Role::Emsp, Connected),
                    ("DE/NEW", Role::Cpo, Planned),
                ],
            )],
        );
        let away = directory.with_liveness(&PlatformId::from("p1"), true);
        let states: Vec<_> = away
            .platform(&PlatformId::from("p1"))
            .unwrap()
            .parties
            .iter()
            .map(|p| p.status)
            .collect();
        assert_eq!(states, [Offline, Offline, Planned]);
        let back = away.with_liveness(&PlatformId::from("p1"), false);
        assert_eq!(back.platform(&PlatformId::from("p1")).unwrap().status, Connected);
        assert_eq!(
            directory.platform(&PlatformId::from("p1")).unwrap().status,
            Connected,
            "snapshots do not change"
        );
    }

    #[test]
    fn liveness_does_not_move_a_planned_or_suspended_platform() {
        // HCI-17
        for status in [Planned, Suspended] {
            let directory = Directory::new(
                party("DE/TWH"),
                [platform("p1", status, &[("DE/ABC", Role::Cpo, Connected)])],
            );
            for offline in [true, false] {
                let after = directory.with_liveness(&PlatformId::from("p1"), offline);
                assert_eq!(after.platform(&PlatformId::from("p1")).unwrap().status, status);
            }
        }
    }

    #[test]
    fn every_role_of_a_suspended_platform_is_suspended() {
        for own in [Planned, Connected, Offline, Suspended] {
            assert_eq!(own.lowered_to(Suspended), Suspended);
        }
        assert_eq!(Planned.lowered_to(Connected), Planned);
        assert_eq!(Connected.lowered_to(Offline), Offline);
        assert_eq!(Connected.lowered_to(Planned), Planned);
    }
}
