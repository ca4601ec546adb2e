//! Other people's servers: carry one request there and tell what happened.
//!
//! Nothing here knows what is in a body, who owns it, or whether it may be sent again; nothing is repeated on our own account
//! but a request that demonstrably never left. Every call has a deadline, a size limit, and a guard at the door that looks at
//! where it goes.
//!
//! The rule everything follows from: *a peer's URL is a stranger's suggestion.* [`guard`] judges it before the call and again
//! when its name has been resolved; redirects are answers and are not followed.
//!
//! Start with [`outcome`], the five ways in which a call ends, then [`http`].

pub mod backoff;
pub mod guard;
pub mod http;
pub mod identity;
pub mod outcome;

pub use bytes::Bytes;
pub use reqwest::Method;

pub use http::{Furnishing, Http, HttpSettings, Outgoing};
pub use identity::Identity;
pub use outcome::{Answer, Outcome};
