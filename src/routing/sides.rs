//! Who is opposite of whom: a CPO talks to those who bring drivers, those who bring drivers talk to CPOs (R-52, D-18).
//!
//! ```text
//!  CPO ───► EMSP NSP NAP OTHER SCSP          EMSP NSP OTHER ───► CPO
//!  NAP ───► EMSP NSP OTHER CPO               SCSP ───► CPO EMSP            EMSP ───► SCSP
//! ```
//!
//! Never to the same side: a CPO's locations are nothing for another CPO.

use crate::ocpi::modules::Module;
use crate::ocpi::role::{InterfaceRole, Role};

/// The roles a party in this role can communicate with at all (HCI-06); agreements may narrow it.
///
/// A peer hub speaks for parties of every role and is on nobody's side.
#[must_use]
pub fn opposite(role: Role) -> &'static [Role] {
    match role {
        Role::Cpo => &[Role::Emsp, Role::Nsp, Role::Nap, Role::Other, Role::Scsp, Role::Hub],
        Role::Emsp => &[Role::Cpo, Role::Nap, Role::Scsp, Role::Hub],
        Role::Nsp | Role::Other => &[Role::Cpo, Role::Nap, Role::Hub],
        Role::Nap => &[Role::Emsp, Role::Nsp, Role::Other, Role::Cpo, Role::Hub],
        Role::Scsp => &[Role::Cpo, Role::Emsp, Role::Hub],
        Role::Hub => &[Role::Cpo, Role::Emsp, Role::Nap, Role::Nsp, Role::Other, Role::Scsp],
    }
}

/// Whether a party in one role can communicate with one in another.
#[must_use]
pub fn are_opposite(one: Role, other: Role) -> bool {
    opposite(one).contains(&other)
}

/// The roles that receive what a party in role `from` pushes to everybody in this module (R-51, R-52).
pub fn receivers(module: &Module, from: Role) -> impl Iterator<Item = Role> {
    module
        .interface(InterfaceRole::Receiver)
        .map_or(&[] as &[Role], |interface| interface.offered_by)
        .iter()
        .copied()
        .filter(move |role| are_opposite(from, *role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpi::modules::{LOCATIONS, TOKENS};

    // R-52, D-18
    #[test]
    fn what_one_side_pushes_reaches_the_other_side_only() {
        let reached = |module, from| receivers(module, from).collect::<Vec<_>>();
        assert_eq!(
            reached(&LOCATIONS, Role::Cpo),
            [Role::Emsp, Role::Nsp, Role::Nap, Role::Other]
        );
        assert_eq!(reached(&LOCATIONS, Role::Nap), [Role::Emsp, Role::Nsp, Role::Other]);
        for from in [Role::Emsp, Role::Nsp, Role::Other] {
            assert_eq!(reached(&TOKENS, from), [Role::Cpo]);
        }
    }

    #[test]
    fn to_be_opposite_is_mutual() {
        for one in Role::ALL {
            assert!(!are_opposite(one, one), "{one}");
            for other in Role::ALL {
                assert_eq!(are_opposite(one, other), are_opposite(other, one), "{one} {other}");
            }
        }
    }
}
