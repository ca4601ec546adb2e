//! Requirements without a test here, and why.

/// Rows that bind a CPO, an eMSP or another peer and never the hub: what they do inside cannot be seen from here.
pub const PEERS_ONLY: &[(&str, &str)] = &[];

/// Rows that are advice (SHOULD, MAY) and are not followed, with the reason.
pub const STATED: &[(&str, &str)] = &[];
