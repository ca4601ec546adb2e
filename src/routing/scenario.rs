//! Who a request is for, from its headers, its body's parties and the interface called: decided here, done elsewhere.
//!
//! CDRs are addressed to one party and never fanned out: `to` = a party is direct routing, `to` = the hub and no `to`
//! at all both mean "whoever pays", the party of `cdr_token` (CDR-18, D-20). The order of the checks is the order in which a
//! peer can repair things: who speaks, whose CDR, for whom, and only then whether that one may be called.

use std::sync::Arc;

use super::directory::{Directory, Platform};
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::ocpi::versions::Version;

/// The parties a CDR's body names.
#[derive(Clone, Copy, Debug)]
pub struct CdrParties<'a> {
    /// `country_code` and `party_id`: the CPO whose CDR it is.
    pub owner: &'a PartyId,
    /// `country_code` and `party_id` of `cdr_token`; 2.2 has no such members.
    pub payer: Option<&'a PartyId>,
}

/// Where a posted CDR goes.
#[derive(Clone, Debug)]
pub struct CdrRoute {
    /// The CPO, in the spelling it registered (D-04).
    pub cpo: PartyId,
    /// The eMSP that pays, in the spelling it registered.
    pub emsp: PartyId,
    /// The eMSP's platform: CONNECTED or OFFLINE, nothing else.
    pub platform: Arc<Platform>,
}

/// Decides the receiver of a CDR posted by `caller`, or which clause says no (design.md 3.6.1).
///
/// # Errors
/// 403 when `from` is not the caller's; 2001 when it is no CPO there, is not the owner of the CDR, or cannot be inferred, when
/// `cdr_token` lacks its owner (2.2.1) or lives on another platform than `to`; 4001 when nobody answers to `to` or to
/// `cdr_token`'s party as eMSP; 4003 when the receiver is PLANNED or SUSPENDED; 4000 when a hub would get its own message back.
pub fn cdr_receiver(
    directory: &Directory,
    caller: &Platform,
    routing: &Routing,
    version: Version,
    parties: CdrParties<'_>,
) -> Result<CdrRoute, Refusal> {
    let cpo = speaker(caller, routing, Role::Cpo)?;
    check_owner(&cpo, parties.owner)?;
    let addressee = addressee(directory, routing);
    if let Some(to) = addressee
        && !directory.knows(to)
    {
        return Err(Refusal::unknown_receiver(format!("no party {to} is known here")));
    }
    let payer = payer(version, addressee, parties)?;
    let known = directory.host(payer, Role::Emsp);
    // without an agreement a party is as good as unknown.
    let Some((platform, emsp)) = known.filter(|(_, emsp)| directory.agreements.allow(&cpo, &emsp.party, "cdrs")) else {
        return Err(Refusal::unknown_receiver(format!(
            "no eMSP {payer} is known here (the party of cdr_token)"
        )));
    };
    if let Some(to) = addressee
        && !lives_on(directory, to, &platform)
    {
        return Err(Refusal::invalid_parameter(format!(
            "OCPI-to names {to}, but the party of cdr_token is {payer}, on another platform"
        )));
    }
    if !emsp.status.is_registered() || !platform.status.is_registered() {
        return Err(Refusal::not_connected(format!(
            "{} is {}",
            emsp.party,
            emsp.status.as_str()
        )));
    }
    if caller.is_hub_peer() && caller.id == platform.id {
        // N-06: two hubs that each believe the other hosts the receiver would play ball with the CDR.
        return Err(Refusal::hub_error(format!(
            "{} is reached through the hub this CDR came from",
            emsp.party
        )));
    }
    Ok(CdrRoute {
        cpo,
        emsp: emsp.party,
        platform,
    })
}

/// Whose CDRs a list on the hub's SENDER interface holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdrList {
    /// The eMSPs the caller acts as; empty when it is none.
    pub emsps: Vec<PartyId>,
    /// The CPO the list is narrowed to, when `to` names one.
    pub cpo: Option<PartyId>,
}

/// Decides what a list GET on the SENDER interface reads: always the hub's own copies.
///
/// `to` = a CPO narrows the list to that CPO. It is not relayed to the CPO: what came back would be CDRs that nobody verified.
///
/// # Errors
/// 403 when `from` is not the caller's; 4001 when nobody answers to `to`; 4000 when `to` is no CPO and so has no CDRs.
pub fn cdr_list(directory: &Directory, caller: &Platform, routing: &Routing) -> Result<CdrList, Refusal> {
    let emsps = acting(caller, routing.from.as_ref(), Role::Emsp)?;
    let Some(to) = addressee(directory, routing) else {
        return Ok(CdrList { emsps, cpo: None });
    };
    if let Some((_, cpo)) = directory.host(to, Role::Cpo) {
        return Ok(CdrList {
            emsps,
            cpo: Some(cpo.party),
        });
    }
    Err(if directory.knows(to) {
        Refusal::hub_error(format!("{to} is no CPO and has no CDRs to list"))
    } else {
        Refusal::unknown_receiver(format!("no party {to} is known here"))
    })
}

/// The parties a caller acts as in one role: `from` when it is given, otherwise every party of the platform with that role.
///
/// Empty when `from` is the caller's, but not in that role.
///
/// # Errors
/// 403 when `from` is not the caller's (D-12).
pub fn acting(caller: &Platform, from: Option<&PartyId>, role: Role) -> Result<Vec<PartyId>, Refusal> {
    match from {
        None => Ok(caller.parties_with(role).map(|one| one.party.clone()).collect()),
        Some(from) if !caller.carries(from) => Err(not_yours(from)),
        Some(from) => Ok(registered(caller, from, role).into_iter().collect()),
    }
}

/// `from` in one role of the caller, given or inferred, in the registered spelling.
fn speaker(caller: &Platform, routing: &Routing, role: Role) -> Result<PartyId, Refusal> {
    if let Some(from) = &routing.from {
        if !caller.carries(from) {
            return Err(not_yours(from));
        }
        return registered(caller, from, role).ok_or_else(|| {
            Refusal::invalid_parameter(format!(
                "OCPI-from names {from}, which is not registered here as {role}"
            ))
        });
    }
    let mut candidates = caller.parties_with(role);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only.party.clone()),
        (None, _) => Err(Refusal::invalid_parameter(format!(
            "no party of this platform is registered as {role}"
        ))),
        (Some(_), Some(_)) => Err(Refusal::invalid_parameter(format!(
            "OCPI-from-country-code and OCPI-from-party-id are needed: this platform hosts several parties as {role}"
        ))),
    }
}

fn registered(caller: &Platform, party: &PartyId, role: Role) -> Option<PartyId> {
    let entry = caller.party_role(party, role).filter(|one| caller.is_live(one));
    entry.map(|one| one.party.clone())
}

pub(super) fn not_yours(from: &PartyId) -> Refusal {
    Refusal::forbidden(format!("OCPI-from names {from}, which is not a party of this platform"))
}

fn check_owner(from: &PartyId, owner: &PartyId) -> Result<(), Refusal> {
    if from == owner {
        return Ok(());
    }
    let same_country = from.country_code().eq_ignore_ascii_case(owner.country_code());
    let pointer = if same_country { "/party_id" } else { "/country_code" };
    Err(Refusal::invalid(
        pointer,
        format!("the CDR belongs to {owner}, but {from} sends it"),
    ))
}

/// `to`, unless it is absent or the hub: both mean "decide by content" for what cannot be broadcast (D-20).
fn addressee<'a>(directory: &Directory, routing: &'a Routing) -> Option<&'a PartyId> {
    routing.to.as_ref().filter(|to| **to != directory.hub)
}

fn payer<'a>(
    version: Version,
    addressee: Option<&'a PartyId>,
    parties: CdrParties<'a>,
) -> Result<&'a PartyId, Refusal> {
    match (parties.payer, version, addressee) {
        (Some(payer), _, _) => Ok(payer),
        // design.md 3.6.8: 2.2 has no owner in CdrToken.
        (None, Version::V2_2, Some(to)) => Ok(to),
        (None, Version::V2_2, None) => Err(Refusal::unknown_receiver(
            "cdr_token has no owner in OCPI 2.2: OCPI-to must name the eMSP",
        )),
        (None, _, _) => Err(Refusal::invalid("/cdr_token/country_code", "is missing")),
    }
}

fn lives_on(directory: &Directory, party: &PartyId, platform: &Platform) -> bool {
    directory
        .roles_of(party)
        .iter()
        .filter_map(|role| directory.host(party, *role))
        .any(|(host, _)| host.id == platform.id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ocpi::headers::TokenForm;
    use crate::ocpi::ids::PlatformId;
    use crate::ocpi::refusal::Situation;
    use crate::routing::agreements::{Agreements, Rule};
    use crate::routing::directory::{PartyRole, PlatformOptions, PlatformStatus};

    use PlatformStatus::{Connected, Offline, Planned, Suspended};

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

    fn world() -> Directory {
        Directory::new(
            party("DE/TWH"),
            [
                platform("cpo", Connected, &[("DE/AbC", Role::Cpo, Connected)]),
                platform(
                    "two",
                    Connected,
                    &[
                        ("NL/CPA", Role::Cpo, Connected),
                        ("NL/CPB", Role::Cpo, Connected),
                        ("NL/CPB", Role::Emsp, Connected),
                        ("NL/OLD", Role::Cpo, Suspended),
                        ("NL/OLD", Role::Nsp, Connected),
                    ],
                ),
                platform(
                    "msp",
                    Connected,
                    &[
                        ("DE/MSA", Role::Emsp, Connected),
                        ("DE/MSB", Role::Emsp, Connected),
                        ("DE/MSP", Role::Emsp, Planned),
                    ],
                ),
                platform("away", Offline, &[("FR/OFF", Role::Emsp, Connected)]),
                platform("planned", Planned, &[("FR/PLA", Role::Emsp, Planned)]),
                platform("stopped", Suspended, &[("FR/SUS", Role::Emsp, Connected)]),
                platform(
                    "hub",
                    Connected,
                    &[
                        ("SE/HUB", Role::Hub, Connected),
                        ("SE/FAR", Role::Cpo, Planned),
                        ("SE/GON", Role::Cpo, Suspended),
                        ("SE/MSP", Role::Emsp, Connected),
                    ],
                ),
            ],
        )
    }

    struct Case {
        caller: &'static str,
        from: Option<&'static str>,
        to: Option<&'static str>,
        owner: &'static str,
        payer: Option<&'static str>,
        version: Version,
    }

    const DIRECT: Case = Case {
        caller: "cpo",
        from: Some("DE/ABC"),
        to: Some("DE/MSA"),
        owner: "DE/ABC",
        payer: Some("DE/MSA"),
        version: Version::V2_2_1,
    };

    fn ask(case: &Case) -> Result<CdrRoute, Refusal> {
        let directory = world();
        let caller = directory.platform(&PlatformId::from(case.caller)).unwrap();
        let routing = Routing {
            to: case.to.map(party),
            from: case.from.map(party),
        };
        let owner = party(case.owner);
        let payer = case.payer.map(party);
        cdr_receiver(
            &directory,
            &caller,
            &routing,
            case.version,
            CdrParties {
                owner: &owner,
                payer: payer.as_ref(),
            },
        )
    }

    fn refused(case: &Case) -> Situation {
        ask(case).unwrap_err().situation
    }

    #[test]
    fn a_cdr_goes_to_the_party_that_pays_however_it_is_addressed() {
        // CDR-18, R-59, R-71, D-20
        for to in [Some("DE/MSA"), Some("de/msa"), Some("DE/TWH"), Some("de/twh"), None] {
            let route = ask(&Case { to, ..DIRECT }).unwrap();
            assert_eq!(route.emsp.to_string(), "DE/MSA");
            assert_eq!(route.platform.id.as_str(), "msp");
        }
    }

    #[test]
    fn another_party_of_the_payers_platform_may_be_addressed_and_the_payer_still_gets_it() {
        // design.md 3.6.1 refuses only another platform; the CDR is the payer's (CDR-18)
        let route = ask(&Case {
            to: Some("DE/MSB"),
            ..DIRECT
        })
        .unwrap();
        assert_eq!(route.emsp.to_string(), "DE/MSA");
    }

    #[test]
    fn parties_are_written_as_they_registered() {
        // R-04, D-04
        let route = ask(&Case {
            from: Some("de/abc"),
            owner: "dE/aBC",
            payer: Some("de/msa"),
            to: None,
            ..DIRECT
        })
        .unwrap();
        assert_eq!(route.cpo.to_string(), "DE/AbC");
        assert_eq!(route.emsp.to_string(), "DE/MSA");
    }

    #[test]
    fn from_must_be_a_party_of_the_calling_platform() {
        // R-06, D-12
        for from in ["NL/CPA", "DE/MSA", "XX/YYY", "DE/TWH"] {
            assert_eq!(
                refused(&Case {
                    from: Some(from),
                    owner: from,
                    ..DIRECT
                }),
                Situation::Forbidden,
                "{from}"
            );
        }
        let dropped = Case {
            caller: "msp",
            from: Some("DE/MSP"),
            owner: "DE/MSP",
            ..DIRECT
        };
        assert_eq!(refused(&dropped), Situation::Forbidden, "listed, but never registered");
    }

    #[test]
    fn from_must_be_a_cpo() {
        // design.md 3.6.1
        let emsp = Case {
            caller: "msp",
            from: Some("DE/MSA"),
            owner: "DE/MSA",
            ..DIRECT
        };
        assert_eq!(refused(&emsp), Situation::InvalidParameter);
        let role_dropped = Case {
            caller: "two",
            from: Some("NL/OLD"),
            owner: "NL/OLD",
            ..DIRECT
        };
        assert_eq!(refused(&role_dropped), Situation::InvalidParameter);
    }

    #[test]
    fn a_missing_from_is_inferred_only_when_one_cpo_can_be_meant() {
        //
        let route = ask(&Case { from: None, ..DIRECT }).unwrap();
        assert_eq!(route.cpo.to_string(), "DE/AbC");
        let two = Case {
            caller: "two",
            from: None,
            owner: "NL/CPA",
            ..DIRECT
        };
        assert_eq!(refused(&two), Situation::InvalidParameter);
        let none = Case {
            caller: "msp",
            from: None,
            owner: "DE/MSA",
            ..DIRECT
        };
        assert_eq!(refused(&none), Situation::InvalidParameter);
    }

    #[test]
    fn a_cdr_of_somebody_else_is_refused_by_pointer() {
        // R-12, design.md promise 6
        let other = ask(&Case {
            owner: "DE/XYZ",
            ..DIRECT
        })
        .unwrap_err();
        assert_eq!(other.situation, Situation::InvalidParameter);
        assert!(other.message.starts_with("/party_id: "), "{}", other.message);
        let abroad = ask(&Case {
            owner: "NL/ABC",
            ..DIRECT
        })
        .unwrap_err();
        assert!(abroad.message.starts_with("/country_code: "), "{}", abroad.message);
        let neighbour = Case {
            caller: "two",
            from: Some("NL/CPA"),
            owner: "NL/CPB",
            ..DIRECT
        };
        assert_eq!(
            refused(&neighbour),
            Situation::InvalidParameter,
            "not even for a neighbour on the same platform"
        );
    }

    // D-17, R-48, design.md 3.6.1
    #[test]
    fn a_payer_without_an_agreement_is_as_good_as_unknown() {
        let forbid = |parties: [&str; 2], module: &str| Rule {
            parties: parties.map(|text| Some(party(text))),
            modules: vec![module.to_owned()],
            allow: false,
        };
        let refusal = |to: &str, rules| {
            let directory = world().under(Agreements {
                allow_by_default: true,
                rules,
            });
            let caller = directory.platform(&PlatformId::from("cpo")).unwrap();
            let routing = Routing {
                to: None,
                from: Some(party("DE/ABC")),
            };
            let (owner, payer) = (party("DE/ABC"), party(to));
            let parties = CdrParties {
                owner: &owner,
                payer: Some(&payer),
            };
            cdr_receiver(&directory, &caller, &routing, Version::V2_2_1, parties).err()
        };
        let parted = refusal("DE/MSA", vec![forbid(["de/msa", "DE/ABC"], "cdrs")]).unwrap();
        let unknown = refusal("XX/YYY", Vec::new()).unwrap();
        assert_eq!(parted.situation, Situation::UnknownReceiver);
        assert_eq!(
            parted.message,
            unknown.message.replace("XX/YYY", "DE/MSA"),
            "and is told nothing else"
        );
        assert!(refusal("DE/MSA", vec![forbid(["DE/MSA", "DE/ABC"], "tokens")]).is_none());
        assert!(refusal("DE/MSB", vec![forbid(["DE/MSA", "DE/ABC"], "cdrs")]).is_none());
    }

    #[test]
    fn an_unknown_receiver_is_4001() {
        // design.md 3.6.1
        assert_eq!(
            refused(&Case {
                to: Some("XX/YYY"),
                ..DIRECT
            }),
            Situation::UnknownReceiver
        );
        for to in [None, Some("DE/TWH"), Some("DE/MSA")] {
            assert_eq!(
                refused(&Case {
                    to,
                    payer: Some("XX/YYY"),
                    ..DIRECT
                }),
                Situation::UnknownReceiver
            );
        }
        assert_eq!(
            refused(&Case {
                to: None,
                payer: Some("NL/CPA"),
                ..DIRECT
            }),
            Situation::UnknownReceiver,
            "a CPO does not pay"
        );
        assert_eq!(
            refused(&Case {
                to: None,
                payer: Some("DE/TWH"),
                ..DIRECT
            }),
            Situation::UnknownReceiver,
            "nor does the hub"
        );
    }

    #[test]
    fn to_and_payer_on_two_platforms_is_2001() {
        assert_eq!(
            refused(&Case {
                to: Some("FR/OFF"),
                ..DIRECT
            }),
            Situation::InvalidParameter
        );
        assert_eq!(
            refused(&Case {
                to: Some("DE/ABC"),
                ..DIRECT
            }),
            Situation::InvalidParameter
        );
    }

    #[test]
    fn a_receiver_that_never_registered_or_was_stopped_is_4003() {
        //
        for payer in ["FR/PLA", "FR/SUS", "DE/MSP"] {
            for to in [None, Some(payer)] {
                assert_eq!(
                    refused(&Case {
                        to,
                        payer: Some(payer),
                        ..DIRECT
                    }),
                    Situation::NotConnected,
                    "{payer}"
                );
            }
        }
    }

    #[test]
    fn a_receiver_that_is_away_is_a_receiver() {
        // design.md 3.6.5: custody, where R-42 would say 4003
        let route = ask(&Case {
            to: None,
            payer: Some("FR/OFF"),
            ..DIRECT
        })
        .unwrap();
        assert_eq!(route.platform.status, Offline);
    }

    #[test]
    fn a_party_may_write_to_its_own_platform() {
        //
        let route = ask(&Case {
            caller: "two",
            from: Some("NL/CPA"),
            owner: "NL/CPA",
            to: None,
            payer: Some("NL/CPB"),
            ..DIRECT
        })
        .unwrap();
        assert_eq!(route.platform.id.as_str(), "two");
    }

    #[test]
    fn a_2_2_cdr_without_a_token_owner_goes_where_to_says() {
        // design.md 3.6.8, X-002
        let old = Case {
            version: Version::V2_2,
            payer: None,
            ..DIRECT
        };
        assert_eq!(ask(&old).unwrap().emsp.to_string(), "DE/MSA");
        for to in [None, Some("DE/TWH")] {
            assert_eq!(
                refused(&Case {
                    to,
                    version: Version::V2_2,
                    payer: None,
                    ..DIRECT
                }),
                Situation::UnknownReceiver
            );
        }
        let new = ask(&Case { payer: None, ..DIRECT }).unwrap_err();
        assert_eq!(new.message, "/cdr_token/country_code: is missing");
    }

    #[test]
    fn a_peer_hub_speaks_for_parties_it_announced_and_gets_nothing_back() {
        // R-06, D-26, N-06
        let relayed = Case {
            caller: "hub",
            from: Some("SE/FAR"),
            owner: "SE/FAR",
            ..DIRECT
        };
        assert_eq!(ask(&relayed).unwrap().cpo.to_string(), "SE/FAR");
        let suspended = Case {
            caller: "hub",
            from: Some("SE/GON"),
            owner: "SE/GON",
            ..DIRECT
        };
        assert_eq!(refused(&suspended), Situation::Forbidden);
        let foreign = Case {
            caller: "hub",
            from: Some("DE/ABC"),
            ..DIRECT
        };
        assert_eq!(refused(&foreign), Situation::Forbidden);
        let back = Case {
            to: None,
            payer: Some("SE/MSP"),
            ..relayed
        };
        assert_eq!(refused(&back), Situation::HubError);
    }

    fn list(caller: &str, from: Option<&str>, to: Option<&str>) -> Result<(Vec<String>, Option<String>), Situation> {
        let directory = world();
        let caller = directory.platform(&PlatformId::from(caller)).unwrap();
        cdr_list(
            &directory,
            &caller,
            &Routing {
                to: to.map(party),
                from: from.map(party),
            },
        )
        .map(|list| {
            (
                list.emsps.iter().map(PartyId::to_string).collect(),
                list.cpo.map(|cpo| cpo.to_string()),
            )
        })
        .map_err(|refusal| refusal.situation)
    }

    #[test]
    fn a_list_reads_the_hubs_copies_for_the_party_that_acts() {
        // D-18
        let both = vec!["DE/MSA".to_owned(), "DE/MSB".to_owned()];
        assert_eq!(list("msp", None, None), Ok((both.clone(), None)));
        assert_eq!(list("msp", Some("de/msb"), None), Ok((vec!["DE/MSB".to_owned()], None)));
        assert_eq!(list("msp", None, Some("DE/TWH")), Ok((both.clone(), None)), "GET all");
        assert_eq!(
            list("msp", None, Some("de/abc")),
            Ok((both, Some("DE/AbC".to_owned()))),
            "narrowed to one CPO"
        );
        assert_eq!(
            list("cpo", None, None),
            Ok((Vec::new(), None)),
            "a CPO pays for nothing"
        );
        assert_eq!(list("two", Some("NL/CPA"), None), Ok((Vec::new(), None)));
        assert_eq!(list("msp", Some("NL/CPA"), None), Err(Situation::Forbidden));
        assert_eq!(list("msp", None, Some("XX/YYY")), Err(Situation::UnknownReceiver));
        assert_eq!(list("msp", None, Some("FR/OFF")), Err(Situation::HubError));
    }
}
