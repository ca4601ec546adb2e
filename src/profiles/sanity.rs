//! Whether a profile makes sense at all, before a CPO sees it: periods in order from 0, limits that are limits (CP-14, ECI-05).

use rust_decimal::Decimal;

use crate::ocpi::fields::Fields;
use crate::ocpi::number;
use crate::ocpi::refusal::{Refusal, Violation};

/// Checks the body of a request that sets a profile. What is not looked at here is the CPO's business.
///
/// # Errors
/// 2001 naming the member.
pub fn check(body: &[u8]) -> Result<(), Refusal> {
    let body = Fields::of_body(body, ["charging_profile"])?;
    let profile = body.required_object("charging_profile", ["min_charging_rate", "charging_profile_period"])?;
    let place = "/charging_profile";
    if let Some(rate) = profile.raw("min_charging_rate") {
        limit(rate).map_err(|why| wrong(place, "min_charging_rate", why))?;
    }
    let periods = profile.objects("charging_profile_period", ["start_period", "limit"])?;
    let mut before: Option<Decimal> = None;
    for (at, period) in periods.unwrap_or_default().iter().enumerate() {
        let place = format!("{place}/charging_profile_period/{at}");
        let start = number::decimal(period.required_number("start_period")?)
            .ok()
            .filter(|start| start.is_integer() && !start.is_sign_negative());
        let start =
            start.ok_or_else(|| wrong(&place, "start_period", "must be whole seconds, not before the profile"))?;
        match before {
            None if !start.is_zero() => {
                return Err(wrong(
                    &place,
                    "start_period",
                    "must be 0: a profile has a limit from its beginning",
                )
                .into());
            }
            Some(before) if start <= before => {
                return Err(wrong(&place, "start_period", "must be after that of the period before").into());
            }
            _ => before = Some(start),
        }
        limit(period.required_number("limit")?).map_err(|why| wrong(&place, "limit", why))?;
    }
    Ok(())
}

fn limit(text: &str) -> Result<(), &'static str> {
    let limit = number::decimal(text).map_err(|_| "must be a number")?.normalize();
    if limit.is_sign_negative() && !limit.is_zero() {
        Err("must not be negative: a profile limits charging")
    } else if limit.scale() > 1 {
        Err("must have at most one decimal")
    } else {
        Ok(())
    }
}

fn wrong(place: &str, member: &str, why: &str) -> Violation {
    Violation::new(format!("{place}/{member}"), why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(profile: &str) -> String {
        let body = format!(r#"{{"response_url":"x","charging_profile":{profile}}}"#);
        check(body.as_bytes()).map_or_else(|refusal| refusal.message, |()| String::new())
    }

    fn periods(text: &str) -> String {
        said(&format!(
            r#"{{"charging_rate_unit":"W","charging_profile_period":[{text}]}}"#
        ))
    }

    // CP-14, ECI-05
    #[test]
    fn periods_begin_at_0_and_follow_one_another_and_limits_are_none_below_0() {
        assert_eq!(said("{}"), "");
        for good in [
            r#"{"start_period":0,"limit":11000}"#,
            r#"{"start_period":0,"limit":0},{"start_period":1,"limit":1.10E4},{"start_period":9e2,"limit":16.50}"#,
            r#"{"start_period":0,"limit":-0.0}"#,
        ] {
            assert_eq!(periods(good), "", "{good}");
        }
        let at = "/charging_profile/charging_profile_period";
        for (bad, place) in [
            (r#"{"start_period":1,"limit":1}"#, "0/start_period: must be 0"),
            (r#"{"start_period":-1,"limit":1}"#, "0/start_period: must be whole"),
            (r#"{"start_period":0.5,"limit":1}"#, "0/start_period: must be whole"),
            (r#"{"start_period":"0","limit":1}"#, "0/start_period: must be a number"),
            (r#"{"start_period":0}"#, "0/limit: is missing"),
            (r#"{"start_period":0,"limit":-0.1}"#, "0/limit: must not be negative"),
            (r#"{"start_period":0,"limit":1.25}"#, "0/limit: must have at most one"),
            (
                r#"{"start_period":0,"limit":1},{"start_period":0,"limit":1}"#,
                "1/start_period: must be after",
            ),
            (
                r#"{"start_period":0,"limit":1},{"start_period":9,"limit":1},{"start_period":8,"limit":1}"#,
                "2/start_period: must be after",
            ),
        ] {
            let said = periods(bad);
            assert!(said.starts_with(&format!("{at}/{place}")), "{bad}: {said}");
        }
        assert!(said(r#"{"min_charging_rate":0.05}"#).starts_with("/charging_profile/min_charging_rate: must have"));
        assert!(
            check(br#"{"response_url":"x"}"#)
                .unwrap_err()
                .message
                .starts_with("/charging_profile: is missing")
        );
    }
}
