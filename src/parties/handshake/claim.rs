//! What a peer's list of roles means for the list the operator made.

use chrono::{DateTime, Utc};

use crate::ocpi::refusal::Refusal;
use crate::ocpi::v2_2_1::credentials::CredentialsRole;
use crate::routing::directory::PlatformStatus;
use crate::store::parties::PartyRow;

/// The platform's parties after it registered with `claimed`.
///
/// Claimed roles become CONNECTED in the spelling claimed (D-04); a connected role that is no longer claimed becomes
/// SUSPENDED and stays listed, so that a later PUT may bring it back (CR-41); one never registered stays PLANNED.
/// `updated_at` moves only with a real change (HCI-10).
///
/// # Errors
/// 2001 with the pointer of the first role the operator did not list (CR-09). A role another platform registered can never
/// be listed here, so this refuses it as well (CR-33).
pub(super) fn claim(
    listed: &[PartyRow],
    claimed: &[CredentialsRole],
    now: DateTime<Utc>,
) -> Result<Vec<PartyRow>, Refusal> {
    for (at, role) in claimed.iter().enumerate() {
        if !listed.iter().any(|row| is_same(row, role)) {
            let reason = format!("{} {} is not listed for this platform", role.role, role.party);
            return Err(Refusal::invalid(&format!("/roles/{at}"), reason));
        }
    }
    Ok(listed
        .iter()
        .map(|row| after(row, claimed.iter().find(|role| is_same(row, role)), now))
        .collect())
}

/// The roles of `claimed` that are listed: what counts when the peer was not asked to claim anything.
pub(super) fn only_listed(listed: &[PartyRow], claimed: Vec<CredentialsRole>) -> Vec<CredentialsRole> {
    let (known, unknown): (Vec<_>, Vec<_>) = claimed
        .into_iter()
        .partition(|role| listed.iter().any(|row| is_same(row, role)));
    for role in unknown {
        log::warn!(
            "{} {} is not listed for its platform and was not registered",
            role.role,
            role.party
        );
    }
    known
}

fn after(row: &PartyRow, claimed: Option<&CredentialsRole>, now: DateTime<Utc>) -> PartyRow {
    let mut next = row.clone();
    match claimed {
        Some(role) => {
            next.country_code = role.party.country_code().to_owned();
            next.party_id = role.party.party_id().to_owned();
            next.name = role.name.clone();
            next.business_details = role.business_details.as_ref().map(|raw| raw.get().to_owned());
            next.status = PlatformStatus::Connected.as_str().to_owned();
        }
        None if row.status == PlatformStatus::Connected.as_str() => {
            next.status = PlatformStatus::Suspended.as_str().to_owned();
        }
        None => {}
    }
    if next != *row {
        next.updated_at = now;
    }
    next
}

fn is_same(row: &PartyRow, role: &CredentialsRole) -> bool {
    row.role == role.role.as_str()
        && row.country_code.eq_ignore_ascii_case(role.party.country_code())
        && row.party_id.eq_ignore_ascii_case(role.party.party_id())
}
