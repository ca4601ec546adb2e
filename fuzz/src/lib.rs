//! What must hold for any octets that anybody sends: one function a target, each true for every input or it panics.
//!
//! A fuzz target searches for an input that breaks its function, `tests/replay.rs` gives every input of `seeds/` to the same function, so that
//! what was found once stays found. Never here: a check that only libFuzzer could run, or one that an input could pass by being refused early.
//!
//! The rule: nothing panics, nothing grows beyond what arrived, and nothing is valid that the meter did not sign. Start with [`TARGETS`].

pub mod keys;
pub mod messages;
pub mod records;
pub mod seeds;
pub mod wholes;
pub mod wire;

/// What must hold for any octets, or it panics.
pub type Target = fn(&[u8]);

/// Every target by name: that of its file in `fuzz_targets/` and of its folder in `seeds/`.
pub const TARGETS: [(&str, Target); 30] = [
    ("public_key", keys::public_key),
    ("ocmf", records::ocmf),
    ("alfen", records::alfen),
    ("edl_40_p", records::edl_40_p),
    ("isa_edl_40_p", records::isa_edl_40_p),
    ("edl_40_sig", records::edl_40_sig),
    ("mennekes", records::mennekes),
    ("pcdf", records::pcdf),
    ("chargeit", records::chargeit),
    ("chargepoint", records::chargepoint),
    ("ptb", records::ptb),
    ("chargy", records::chargy),
    ("safe_xml", records::safe_xml),
    ("transport", wholes::transport),
    ("verify_input", wholes::verify_input),
    ("cdr", wholes::cdr),
    ("export", wholes::export),
    ("structure", messages::structure),
    ("patch", messages::patch),
    ("splice", messages::splice),
    ("shown_session", messages::shown_session),
    ("metering_json", messages::metering_json),
    ("envelope", wire::envelope),
    ("headers", wire::headers),
    ("token", wire::token),
    ("url", wire::url),
    ("time", wire::time),
    ("number", wire::number),
    ("page", wire::page),
    ("json", wire::json),
];
