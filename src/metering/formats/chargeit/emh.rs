//! EMH meters behind chargeIT: the members of a signed value, put together to the block of 320 octets that the meter signed.
//!
//! signed-metering-formats.md 7.1 and 14: the block of the EDL40 family, with the contract as text. Local seconds are signed, the split into UTC and
//! offsets is not.

use chrono::{DateTime, FixedOffset};
use rust_decimal::Decimal;

use super::{at, malformed, text, whole};
use crate::metering::formats::FormatName;
use crate::metering::formats::signed_record::{
    BlockSignature, Malformed, Pagination, Places, SignedBlock, SignedRecord, Statement, Unusable,
};
use crate::metering::json::Value;
use crate::metering::key::Curve;
use crate::metering::reading::{Obis, Reading, SignedTime, TimeStatus};
use crate::metering::record::Identification;
use crate::metering::signature;

const CURVE: Curve = Curve::Secp192r1;
const BLOCK: usize = 320;
const CONTRACT: usize = 128;

/// Reads one signed value.
pub(super) fn read(value: Value<'_>) -> Result<SignedRecord<'static>, Malformed> {
    let signed = Signed::read(value)?;
    let signature = text(value, &["signature"]).ok_or_else(|| malformed("the signature is missing"))?;
    let block = SignedBlock {
        octets: signed.block().into(),
        signature: read_signature(&signature),
    };
    Ok(SignedRecord::new(FormatName::ChargeIt, block, signed.statement()))
}

fn read_signature(text: &str) -> Result<BlockSignature, Unusable> {
    let octets = hex::decode(text.trim()).map_err(|_| Unusable::malformed("the signature is not hex"))?;
    // The state of the logbook may follow: two octets, as in the other formats of the family.
    let both = octets
        .get(..2 * CURVE.scalar_bytes())
        .filter(|both| octets.len() <= both.len() + 2);
    let signature = signature::read_raw(both.unwrap_or(&octets), CURVE).map_err(Unusable::malformed)?;
    Ok(BlockSignature {
        curve: CURVE,
        signature,
    })
}

/// What the meter signed, member by member.
struct Signed {
    server: [u8; 10],
    time: LocalTime,
    status: u8,
    second_index: u32,
    pagination: u32,
    register: [u8; 6],
    unit: u8,
    scale: i8,
    value: i64,
    logbook: [u8; 2],
    contract: String,
    contract_time: LocalTime,
}

/// Seconds of the place, and what is said about UTC.
struct LocalTime {
    seconds: u32,
    utc: i64,
    offset: FixedOffset,
}

impl Signed {
    fn read(value: Value<'_>) -> Result<Signed, Malformed> {
        let missing = |what: &'static str| move || malformed(format!("the member {what} is missing or cannot be read"));
        let measured = at(value, &["measuredValue"]).ok_or_else(missing("measuredValue"))?;
        let info = at(value, &["additionalInfo"]).ok_or_else(missing("additionalInfo"))?;
        let pagination = octets::<4>(value, &["measurementId"]).ok_or_else(missing("measurementId"))?;
        let contract = text(value, &["contract", "id"]).unwrap_or_default();
        if contract.len() > CONTRACT {
            return Err(malformed("the contract is longer than the block has room for"));
        }
        Ok(Signed {
            server: octets(value, &["meterInfo", "meterId"]).ok_or_else(missing("meterInfo.meterId"))?,
            time: LocalTime::read(measured).ok_or_else(missing("measuredValue.timestampLocal"))?,
            status: octets::<1>(info, &["status"]).ok_or_else(missing("additionalInfo.status"))?[0],
            second_index: number(info, &["indexes", "timer"]).ok_or_else(missing("additionalInfo.indexes.timer"))?,
            pagination: u32::from_be_bytes(pagination),
            register: octets(value, &["measurand", "id"]).ok_or_else(missing("measurand.id"))?,
            unit: number(measured, &["unitEncoded"]).ok_or_else(missing("measuredValue.unitEncoded"))?,
            scale: number(measured, &["scale"]).ok_or_else(missing("measuredValue.scale"))?,
            value: whole(measured, &["value"]).ok_or_else(missing("measuredValue.value"))?,
            logbook: octets(info, &["indexes", "logBook"]).ok_or_else(missing("additionalInfo.indexes.logBook"))?,
            contract,
            contract_time: at(value, &["contract"])
                .and_then(LocalTime::read)
                .ok_or_else(missing("contract.timestampLocal"))?,
        })
    }

    fn block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK);
        block.extend_from_slice(&self.server);
        block.extend_from_slice(&self.time.seconds.to_le_bytes());
        block.push(self.status);
        block.extend_from_slice(&self.second_index.to_le_bytes());
        block.extend_from_slice(&self.pagination.to_le_bytes());
        block.extend_from_slice(&self.register);
        block.push(self.unit);
        block.extend_from_slice(&self.scale.to_be_bytes());
        block.extend_from_slice(&self.value.to_le_bytes());
        block.extend_from_slice(&self.logbook);
        let contract_end = block.len() + CONTRACT;
        block.extend_from_slice(self.contract.as_bytes());
        block.resize(contract_end, 0);
        block.extend_from_slice(&self.contract_time.seconds.to_le_bytes());
        block.resize(BLOCK, 0);
        block
    }

    fn statement(&self) -> Statement {
        let register = hex::encode_upper(self.register);
        let exact = exact(self.value, self.scale);
        let reading = Reading {
            obis: Obis::read(&register),
            register,
            value_text: exact.map_or_else(|| format!("{}e{}", self.value, self.scale), |value| value.to_string()),
            value: exact,
            unit: if self.unit == 30 {
                "Wh".to_owned()
            } else {
                format!("unit {}", self.unit)
            },
            time: self.time.signed(),
            // Begin and end are said by the order of the list alone.
            marker: None,
            status: Some("G".to_owned()),
            energy_unusable: false,
            time_unusable: false,
            event_counter: None,
            billed: false,
        };
        Statement {
            readings: vec![reading],
            places: Places::ByTheLabel,
            meter_serial: Some(hex::encode_upper(self.server)),
            identification: Some(self.contract.clone())
                .filter(|id| !id.is_empty())
                .map(Identification::new),
            pagination: Some(Pagination::number(self.pagination.into())),
            logbook: Some(hex::encode(self.logbook)),
            ..Statement::default()
        }
    }
}

impl LocalTime {
    fn read(holder: Value<'_>) -> Option<LocalTime> {
        let utc = whole(holder, &["timestampLocal", "timestamp"])?;
        let minutes = |member| whole(holder, &["timestampLocal", member]).unwrap_or_default();
        let ahead = minutes("localOffset")
            .checked_add(minutes("seasonOffset"))?
            .checked_mul(60)?;
        Some(LocalTime {
            seconds: u32::try_from(utc.checked_add(ahead)?).ok()?,
            utc,
            offset: FixedOffset::east_opt(i32::try_from(ahead).ok()?)?,
        })
    }

    fn signed(&self) -> SignedTime {
        let instant = DateTime::from_timestamp(self.utc, 0).map(|instant| instant.with_timezone(&self.offset));
        SignedTime {
            text: instant.map(|instant| instant.to_rfc3339()).unwrap_or_default(),
            instant,
            status: TimeStatus::Unstated,
        }
    }
}

/// As many octets as there must be, in hex.
fn octets<const N: usize>(value: Value<'_>, path: &[&str]) -> Option<[u8; N]> {
    hex::decode(text(value, path)?.trim()).ok()?.try_into().ok()
}

fn number<T: TryFrom<i64>>(value: Value<'_>, path: &[&str]) -> Option<T> {
    T::try_from(whole(value, path)?).ok()
}

/// The number at its power of ten, exactly.
fn exact(value: i64, scale: i8) -> Option<Decimal> {
    let places = u32::from(scale.unsigned_abs());
    if scale <= 0 {
        return Decimal::try_from_i128_with_scale(value.into(), places).ok();
    }
    Decimal::from(value).checked_mul(Decimal::from(10i64.checked_pow(places)?))
}
