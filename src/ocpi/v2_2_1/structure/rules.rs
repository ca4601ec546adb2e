//! What a table of fields cannot say: how a text looks, and what the fields of one object must be to each other.
//!
//! A rule that makes a field required on a condition is an error when broken, like a required field that is missing. The
//! others are warnings: nobody should lose a location because its shares of energy add up to 99.9 percent.

use rust_decimal::Decimal;

use super::super::super::number;
use super::grammar::{Rule, Shape};
use super::validator::{Members, Severity};

/// LOC-16.
pub(super) static ALPHA_2: Shape = Shape {
    reason: "is no alpha-2 country code",
    fits: |text| text.len() == 2 && letters(text),
};

/// LOC-16. Two letters are frequent in the field (F-14).
pub(super) static ALPHA_3: Shape = Shape {
    reason: "is no alpha-3 country code",
    fits: |text| text.len() == 3 && letters(text),
};

/// LOC-15: `-?[0-9]{1,2}\.[0-9]{5,7}`.
pub(super) static LATITUDE: Shape = Shape {
    reason: "is no latitude such as 52.370216",
    fits: |text| coordinate(text, 2),
};

/// LOC-15: `-?[0-9]{1,3}\.[0-9]{5,7}`.
pub(super) static LONGITUDE: Shape = Shape {
    reason: "is no longitude such as 4.895168",
    fits: |text| coordinate(text, 3),
};

/// LOC-16: `Area/Place` or one name such as `UTC`. Which names the IANA knows changes several times a year; how one looks
/// does not, and an offset or an abbreviation in brackets is none.
pub(super) static TIME_ZONE: Shape = Shape {
    reason: "is no time zone such as Europe/Oslo",
    fits: |text| {
        let part = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphabetic())
                && part
                    .bytes()
                    .all(|one| one.is_ascii_alphanumeric() || b"_+-".contains(&one))
        };
        text.split('/').all(part)
    },
};

/// LOC-17: `([0-1][0-9]|2[0-3]):[0-5][0-9]`.
pub(super) static TIME_OF_DAY: Shape = Shape {
    reason: "is no time of day such as 17:30",
    fits: |text| {
        matches!(
            text.as_bytes(),
            [b'0' | b'1', b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9']
                | [b'2', b'0'..=b'3', b':', b'0'..=b'5', b'0'..=b'9']
        )
    },
};

/// TAR-08: `([12][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`.
pub(super) static DATE: Shape = Shape {
    reason: "is no date such as 2026-11-21",
    fits: |text| match text.as_bytes() {
        [b'1' | b'2', y, e, a, b'-', m, o, b'-', d, t] => {
            let year = [y, e, a].iter().all(|digit| digit.is_ascii_digit());
            let month = matches!((m, o), (b'0', b'1'..=b'9') | (b'1', b'0'..=b'2'));
            let day = matches!(
                (d, t),
                (b'0', b'1'..=b'9') | (b'1' | b'2', b'0'..=b'9') | (b'3', b'0' | b'1')
            );
            year && month && day
        }
        _ => false,
    },
};

/// OBJ-18: Monday is 1.
pub(super) static WEEKDAY: Shape = Shape {
    reason: "is no day from 1 to 7",
    fits: |text| number::decimal(text).is_ok_and(|day| day >= Decimal::ONE && day <= Decimal::from(7)),
};

/// CP-14.
pub(super) static ONE_DECIMAL: Shape = Shape {
    reason: "has more than one decimal",
    fits: |text| number::decimal(text).is_ok_and(|value| value.normalize().scale() <= 1),
};

pub(super) const CREDENTIALS: &[Rule] = &[required(
    "OBJ-07",
    "roles",
    "names the same role of the same party twice",
    |it| {
        let mut roles: Vec<_> = it
            .objects("roles", ["role", "country_code", "party_id"])
            .iter()
            .filter_map(|role| {
                let party = [role.text("country_code").ok()??, role.text("party_id").ok()??];
                Some((
                    role.text("role").ok()??.into_owned(),
                    party.map(|half| half.to_ascii_uppercase()),
                ))
            })
            .collect();
        roles.sort();
        roles.windows(2).any(|pair| pair.first() == pair.last())
    },
)];

pub(super) const LOCATION: &[Rule] = &[advised(
    "LOC-12",
    "publish_allowed_to",
    "is only for a location that is not published",
    |it| it.is_true("publish") && it.has("publish_allowed_to"),
)];

pub(super) const PUBLISH_TOKEN_TYPE: &[Rule] = &[
    required("LOC-12", "", "has neither uid nor visual_number nor group_id", |it| {
        !it.has("uid") && !it.has("visual_number") && !it.has("group_id")
    }),
    required("LOC-12", "type", "is missing where uid is given", |it| {
        it.has("uid") && !it.has("type")
    }),
    required("LOC-12", "issuer", "is missing where visual_number is given", |it| {
        it.has("visual_number") && !it.has("issuer")
    }),
];

pub(super) const HOURS: &[Rule] = &[
    required(
        "LOC-17",
        "regular_hours",
        "is missing where twentyfourseven is false",
        |it| it.is_false("twentyfourseven") && !it.has("regular_hours"),
    ),
    advised(
        "LOC-17",
        "regular_hours",
        "is given although twentyfourseven is true",
        |it| it.is_true("twentyfourseven") && it.has("regular_hours"),
    ),
];

pub(super) const REGULAR_HOURS: &[Rule] = &[advised(
    "LOC-17",
    "period_end",
    "is not later than period_begin",
    |it| match (it.text("period_begin"), it.text("period_end")) {
        // Times of this shape are in the order of their texts; of others nothing can be said.
        (Some(begin), Some(end)) => (TIME_OF_DAY.fits)(&begin) && (TIME_OF_DAY.fits)(&end) && end <= begin,
        _ => false,
    },
)];

pub(super) const ENERGY_MIX: &[Rule] = &[advised(
    "LOC-20",
    "energy_sources",
    "does not add up to 100 percent",
    |it| {
        let sources = it.objects("energy_sources", ["percentage"]);
        let shares: Option<Vec<Decimal>> = sources
            .iter()
            .map(|source| number::decimal(source.required_number("percentage").ok()?).ok())
            .collect();
        // Shares that cannot be read are findings of their own.
        let sum = shares.and_then(|shares| {
            shares
                .into_iter()
                .try_fold(Decimal::ZERO, |sum, share| sum.checked_add(share))
        });
        !sources.is_empty() && sum.is_some_and(|sum| sum != Decimal::ONE_HUNDRED)
    },
)];

/// CDR-14: these describe a moment, and a bill is about what has been.
const SESSION_ONLY: [&str; 5] = ["CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"];

pub(super) const CDR: &[Rule] = &[
    advised(
        "CDR-10",
        "id",
        "is longer than 36 characters, which is for credit CDRs",
        // Beyond 39 the length itself is a finding.
        |it| !it.is_true("credit") && it.text("id").is_some_and(|id| (37..=39).contains(&id.chars().count())),
    ),
    required("CDR-09", "credit_reference_id", "is missing in a credit CDR", |it| {
        it.is_true("credit") && !it.has("credit_reference_id")
    }),
    advised("CDR-09", "total_cost", "is positive in a credit CDR", |it| {
        it.is_true("credit")
            && it
                .object("total_cost", ["excl_vat"])
                .and_then(|cost| number::decimal(cost.required_number("excl_vat").ok()?).ok())
                .is_some_and(|amount| amount > Decimal::ZERO)
    }),
    advised(
        "CDR-14",
        "charging_periods",
        "has a dimension that is for sessions only",
        |it| {
            it.objects("charging_periods", ["dimensions"]).iter().any(|period| {
                let dimensions = period.objects("dimensions", ["type"]).ok().flatten();
                dimensions.iter().flatten().any(|dimension| {
                    let named = dimension.text("type").ok().flatten();
                    named.is_some_and(|named| SESSION_ONLY.contains(&named.as_ref()))
                })
            })
        },
    ),
];

pub(super) const TARIFF_ELEMENT: &[Rule] = &[advised(
    "TAR-09",
    "price_components",
    "prices a reservation by something else than FLAT and TIME",
    |it| {
        let restrictions = it.object("restrictions", ["reservation"]);
        restrictions.is_some_and(|restrictions| restrictions.raw("reservation").is_some())
            && it.objects("price_components", ["type"]).iter().any(|component| {
                let named = component.text("type").ok().flatten();
                named.is_some_and(|named| !matches!(named.as_ref(), "FLAT" | "TIME"))
            })
    },
)];

pub(super) const AUTHORIZATION_INFO: &[Rule] = &[advised(
    "TOK-06",
    "location",
    "is only for an answer that allows charging",
    |it| it.has("location") && it.text("allowed").is_some_and(|allowed| allowed != "ALLOWED"),
)];

pub(super) const START_SESSION: &[Rule] = &[required(
    "CMD-15",
    "evse_uid",
    "is missing where connector_id is given",
    |it| it.has("connector_id") && !it.has("evse_uid"),
)];

pub(super) const ACTIVE_CHARGING_PROFILE_RESULT: &[Rule] =
    &[advised("CP-06", "profile", "is only for the result ACCEPTED", |it| {
        it.has("profile") && it.text("result").is_some_and(|result| result != "ACCEPTED")
    })];

const fn required(
    clause: &'static str,
    field: &'static str,
    reason: &'static str,
    broken: fn(&Members<'_>) -> bool,
) -> Rule {
    Rule {
        clause,
        severity: Severity::Error,
        field,
        reason,
        broken,
    }
}

const fn advised(
    clause: &'static str,
    field: &'static str,
    reason: &'static str,
    broken: fn(&Members<'_>) -> bool,
) -> Rule {
    Rule {
        clause,
        severity: Severity::Warning,
        field,
        reason,
        broken,
    }
}

fn letters(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn coordinate(text: &str, most_degrees: usize) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((degrees, decimals)) = text.strip_prefix('-').unwrap_or(text).split_once('.') else {
        return false;
    };
    (1..=most_degrees).contains(&degrees.len())
        && (5..=7).contains(&decimals.len())
        && digits(degrees)
        && digits(decimals)
}
