//! Where a neighbour's doors are: URLs nobody can guess, only read in its version details (U-01, U-04).

use percent_encoding::percent_decode_str;

use super::behaviour::Door;
use super::inner::Inner;
use super::plan::EndpointShape;
use crate::ocpi::role::InterfaceRole::{Receiver, Sender};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::versions::Version;

/// The query of an endpoint that has one. Whoever loses it is told so.
const QUERY: &str = "tenant=7";

/// The irregular parts of the URLs.
pub(super) struct Words {
    port: usize,
    root: &'static str,
    cdrs: &'static str,
}

/// A door, and what stood behind its URL.
pub(super) struct Place {
    pub(super) door: Door,
    /// The segments behind the endpoint, each decoded once (U-06).
    pub(super) rest: Vec<String>,
    /// Whether the request lacks the query that belongs to the endpoint's URL.
    pub(super) lost_query: bool,
}

impl Words {
    /// Different for every port, the same for one: nothing about these URLs can be guessed from another party's.
    pub(super) fn of(port: u16) -> Words {
        const ROOTS: [&str; 7] = [
            "amber/ocpi",
            "birch",
            "api/v7/roaming",
            "delta/emobility/ocpi",
            "elm/x",
            "fjord/peer",
            "gate",
        ];
        const CDRS: [&str; 5] = ["records", "charge-detail", "bills/ocpi", "cdr_store", "river/cdrs"];
        let port = usize::from(port);
        Words {
            port,
            root: pick(&ROOTS, port),
            cdrs: pick(&CDRS, port / 7),
        }
    }

    /// The word for the module at this place of the plan. The number of words is prime, so no two of one platform are the same.
    fn module(&self, place: usize) -> &'static str {
        const WORDS: [&str; 41] = [
            "acorn",
            "bramble/v0",
            "cedar",
            "dune.x",
            "ember",
            "fern/ocpi",
            "gorse",
            "heath",
            "iris/a/b",
            "juniper",
            "kelp",
            "larch",
            "moss/2",
            "nettle",
            "oak_1",
            "poplar",
            "quince",
            "reed/ocpi/2.1.1",
            "sorrel",
            "thyme",
            "umber",
            "vetch",
            "willow~",
            "yarrow",
            "zinnia",
            "alder/m",
            "basil",
            "clover",
            "dogwood",
            "elder",
            "flax/7",
            "ginkgo",
            "hazel",
            "indigo",
            "jasmine",
            "knotweed",
            "lupin",
            "mallow/in",
            "nutmeg",
            "olive",
            "parsley",
        ];
        pick(&WORDS, self.port / 3 + place * 11)
    }
}

fn pick(words: &[&'static str], by: usize) -> &'static str {
    words.get(by % words.len().max(1)).copied().unwrap_or("x")
}

impl Inner {
    /// The path of one of this platform's own doors, without query and trailing slash.
    pub(super) fn path(&self, which: &str) -> String {
        format!("/{}/{which}", self.words.root)
    }

    /// The path of one interface of a module, without query and trailing slash.
    pub(super) fn module_path(&self, module: &str, interface: InterfaceRole) -> String {
        match (module, interface) {
            ("cdrs", Receiver) => self.path(&format!("{}/inbox", self.words.cdrs)),
            ("cdrs", Sender) => self.path(&format!("{}/outbox", self.words.cdrs)),
            _ => self.path(self.words.module(self.place_in_plan(module, interface))),
        }
    }

    /// The path under which response URLs are lent out; none of the endpoints is above it (CMD-06).
    pub(super) fn results_path(&self) -> String {
        self.path("echo/of")
    }

    /// A path as an absolute URL.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What this platform lists for a version.
    pub(super) fn endpoints(&self, version: Version) -> Vec<(&'static str, InterfaceRole, String)> {
        let credentials = self.url(&self.path(&format!("{}/credentials", version.as_str())));
        let mut endpoints = vec![("credentials", Sender, credentials)];
        if self.plan.receives_cdrs {
            endpoints.push(("cdrs", Receiver, self.endpoint_url("cdrs", Receiver)));
        }
        if self.plan.sends_cdrs {
            endpoints.push(("cdrs", Sender, self.endpoint_url("cdrs", Sender)));
        }
        for (module, interface) in &self.plan.modules {
            endpoints.push((module, *interface, self.endpoint_url(module, *interface)));
        }
        endpoints
    }

    /// The URL of a functional endpoint, in the shape of the plan.
    fn endpoint_url(&self, module: &str, interface: InterfaceRole) -> String {
        let mut elsewhere = self.plan.elsewhere.iter();
        if let Some((.., url)) = elsewhere.find(|(known, side, _)| (*known, *side) == (module, interface)) {
            return url.clone();
        }
        let plain = self.url(&self.module_path(module, interface));
        match self.shape(module, interface) {
            EndpointShape::TrailingSlash => plain + "/",
            EndpointShape::WithQuery => format!("{plain}?{QUERY}"),
            EndpointShape::Plain | EndpointShape::Mixed => plain,
        }
    }

    fn shape(&self, module: &str, interface: InterfaceRole) -> EndpointShape {
        const SHAPES: [EndpointShape; 3] = [
            EndpointShape::WithQuery,
            EndpointShape::TrailingSlash,
            EndpointShape::Plain,
        ];
        if self.plan.shape != EndpointShape::Mixed {
            return self.plan.shape;
        }
        let place = self.place_in_plan(module, interface) + self.words.port;
        SHAPES.get(place % 3).copied().unwrap_or(EndpointShape::Plain)
    }

    fn place_in_plan(&self, module: &str, interface: InterfaceRole) -> usize {
        let known = self
            .plan
            .modules
            .iter()
            .position(|served| *served == (module, interface));
        known.unwrap_or(usize::from(interface == Receiver))
    }

    /// The door a request is at, if there is one.
    pub(super) fn place_of(&self, method: &str, path: &str, query: &str) -> Option<Place> {
        let trimmed = path.trim_end_matches('/');
        let whole = |door| {
            Some(Place {
                door,
                rest: Vec::new(),
                lost_query: false,
            })
        };
        if trimmed == self.path("versions") {
            return whole(Door::Versions);
        }
        for version in Version::ALL {
            if trimmed == self.path(version.as_str()) {
                return whole(Door::Details);
            }
            if trimmed == self.path(&format!("{}/credentials", version.as_str())) {
                return whole(Door::Credentials);
            }
        }
        if let Some(rest) = behind(trimmed, &self.results_path()) {
            let module = self.book().lent.get(rest.first()?).map(|lent| lent.order.module())?;
            return Some(Place {
                door: Door::Results(module),
                rest,
                lost_query: false,
            });
        }
        let mut served = self.plan.modules.clone();
        served.extend(self.plan.receives_cdrs.then_some(("cdrs", Receiver)));
        served.extend(self.plan.sends_cdrs.then_some(("cdrs", Sender)));
        let (module, interface, rest) = served.into_iter().find_map(|(module, interface)| {
            behind(trimmed, &self.module_path(module, interface)).map(|rest| (module, interface, rest))
        })?;
        let door = match (Door::of(module, interface), method, rest.as_slice()) {
            (Door::Sender("tokens"), "POST", [_, verb]) if verb == "authorize" => Door::Authorize,
            (Door::Sender("sessions"), "PUT", [_, verb]) if verb == "charging_preferences" => Door::Preferences,
            (door, ..) => door,
        };
        // Where a CDR is read is told in `Location`, which has no query of ours.
        let is_told = door == Door::CdrReceiver && !rest.is_empty();
        let lost_query = self.shape(module, interface) == EndpointShape::WithQuery
            && !is_told
            && !query.split('&').any(|part| part == QUERY);
        Some(Place { door, rest, lost_query })
    }

    /// Whether a party may be addressed here: one of this platform's, or anybody where it is a hub itself and carries on.
    pub(super) fn takes_for(&self, country_code: &str, party_id: &str, only: Option<Role>) -> bool {
        let is_hub = self.plan.parties.iter().any(|(_, role)| *role == Role::Hub);
        is_hub || self.hosts(country_code, party_id, only)
    }

    /// Whether a party of this platform is addressed, in the spelling it registered; with a role, only one that has it.
    pub(super) fn hosts(&self, country_code: &str, party_id: &str, only: Option<Role>) -> bool {
        self.plan.parties.iter().any(|(party, role)| {
            only.is_none_or(|only| only == *role)
                && party.country_code() == country_code
                && party.party_id() == party_id
        })
    }
}

/// The decoded segments behind `base`; `None` when the path is not there.
fn behind(path: &str, base: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix(base)?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    Some(
        rest.strip_prefix('/')?
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_modules_of_a_platform_share_a_word_or_stand_behind_another() {
        for port in [1_024_u16, 30_001, 65_535] {
            let words = Words::of(port);
            let firsts: std::collections::HashSet<&str> = (0..41)
                .filter_map(|place| words.module(place).split('/').next())
                .collect();
            assert_eq!(firsts.len(), 41);
        }
    }

    // U-06
    #[test]
    fn segments_are_decoded_once_and_only_behind_their_door() {
        assert_eq!(
            behind("/a/b/x%2Fy/%2541", "/a/b"),
            Some(vec!["x/y".to_owned(), "%41".to_owned()])
        );
        assert_eq!(behind("/a/bc", "/a/b"), None);
        assert_eq!(behind("/a/b", "/a/b"), Some(Vec::new()));
    }
}
