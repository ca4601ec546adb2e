//! Who may steer a session: contracts, one controller at a time, and how often anybody may ask (smart-charging.md).
//!
//! ```text
//!  request ──► entitled? ──► free, or one's own? ──► not too often? ──► control is taken ──► forwarded
//!              [`contract`]  [`session`]             [`pace`]           compare-and-set      by the hall
//! ```
//!
//! Here is decided and remembered; nothing is sent. The rule all follows from: **control is taken before a request is forwarded**, in
//! one row of the database, by whoever still finds it as it was read. So of two parties at the same instant one is refused, also at two
//! processes; what a dead process took ends by its deadline; and what became of a request is moved by the CPO's own word alone. The hub
//! neither clears nor invents a profile.
//!
//! What a provider may see of a Session follows from the same contracts: [`showing`] makes its copy, [`pseudonym`] takes the driver out of it.
//!
//! [`session`], [`contract`], [`pace`], [`sanity`], [`showing`] and [`pseudonym`] only think: they are given the time and values, and are tested
//! with them. A refusal says that there is a controller and never who. Start with [`session::Session::admit`]; [`Profiles`] keeps what it decides.

pub mod contract;
mod kept;
pub mod ledger;
pub mod pace;
pub mod pseudonym;
pub mod sanity;
pub mod session;
pub mod showing;

pub use contract::{Contract, ContractKind, Wrong};
pub use ledger::{Agreed, Profiles, ProfilesSettings, Released};
pub use session::{Answered, Ask, Hold, Name, Refused, Seen, Session, State, Told, Verb};
pub use showing::{Push, Showing};
