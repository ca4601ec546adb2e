//! The hall where a message changes hands: the life of one request, from understood to answered.
//!
//! The front door has recognised the caller and read headers and body; here the request is routed, judged, kept, carried and
//! answered, each by the room that knows how. Nothing here knows HTTP, SQL or a JSON field.
//!
//! The rule all follows from: **from the commit on, nobody's patience matters.** A CDR that was taken is carried and settled
//! even if its sender hangs up (design.md 3.6.4), which is why that part runs in a task of its own.
//!
//! What is remembered here has a bound: 65 536 objects of hints, some 20 MB, and 4096 unwritten changes of them; 8192 lines of the journal that
//! are not written yet; 16 384 messages of peer hubs, and those for a minute. What is under way is forgotten when it ends.
//!
//! Start with [`cdr::CdrExchange::post`]; [`own`] answers lists from what the hub keeps; [`running`] lets repeats wait for
//! the first attempt; [`hints`] remembers from traffic who has what; [`steering`] lets one party at a time steer a session,
//! [`proxy`] asks in an eMSP's name, and [`sessions`] shows providers what they may see.

pub mod answer;
mod broadcast;
pub mod cdr;
pub mod custom;
pub mod following;
mod frame;
mod hub_modules;
pub mod hints;
pub mod hop;
pub mod incoming;
pub mod journal;
mod learning;
mod open;
pub mod own;
pub mod passing;
pub mod relay;
pub mod reply;
pub mod running;
mod proxy;
mod seen;
mod sessions;
mod steering;
