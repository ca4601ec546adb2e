//! Requirements without a test here, and why.

/// Rows that bind a CPO, an eMSP or another peer and never the hub: what they do inside cannot be seen from here.
pub const PEERS_ONLY: &[(&str, &str)] = &[
    ("T-35", "a data owner's own interface"),
    ("R-29", "what a receiver writes on its answer to a copy"),
    ("HCI-14", "what a peer is ready for"),
    ("LOC-09", "how an owner ends a location"),
    ("LOC-14", "how an owner gives out ids"),
    ("LOC-18", "what a reader takes for the default"),
    ("LOC-19", "which tariffs an owner has at a time"),
    ("SES-14", "what a CPO makes of a reservation"),
    ("SES-15", "what a CPO writes into a session"),
    ("SES-17", "how a reader understands a missing cost"),
    ("CDR-12", "what a CPO writes into a CDR"),
    ("CDR-13", "what a CPO writes into a CDR"),
    ("TAR-05", "when an owner deletes a tariff"),
    ("TAR-06", "how a price is calculated"),
    ("TAR-07", "how a price is calculated"),
    ("TAR-10", "how a price is calculated"),
    ("TAR-12", "how a price is calculated"),
    ("TOK-10", "when a CPO asks for an authorization"),
    ("TOK-11", "what an eMSP writes into a token"),
    ("TOK-12", "why an eMSP says no"),
    ("CMD-14", "whose token an eMSP uses"),
    ("CMD-16", "what a CPO does before it calls the charge point"),
    ("CMD-18", "who presses the button"),
    ("CP-09", "what a CPO reports without a profile"),
];

/// Rows about OCPI 2.3.0, which this version does not speak.
pub const OTHER_VERSION: &[(&str, &str)] = &[("CR-39", "OCPI 2.3.0"), ("CR-40", "OCPI 2.3.0")];

/// Rows that are advice (SHOULD, MAY) and are not followed, with the reason.
pub const STATED: &[(&str, &str)] = &[
    (
        "CR-43",
        "business details are kept with the party, for the versions and pages to come; nothing shows them yet",
    ),
    (
        "HCI-15",
        "a peer that took a PUT is believed; it can read the list at any time",
    ),
];

/// Rows of the registry that bind parts which are not built yet, or nobody here.
pub const LATER_OR_OTHERS: &[(&str, &str)] = &[
    ("SAF-16", "the gateway's"),
    ("SAF-19", "the console's"),
    ("SAF-20", "the eMSP's"),
    ("SAF-24", "out of scope"),
];
