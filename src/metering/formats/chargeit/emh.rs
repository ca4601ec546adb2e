//! EMH meters behind chargeIT: the members of a signed value, put together to the block of 320 octets that the meter signed.
//!
//! signed-metering-formats.md 7.1 and 14: the block of the EDL40 family, with the contract as text. Local seconds are signed, the split into UTC and
//! offsets is not.

use super::{at, malformed, text, whole};
use crate::metering::formats::FormatName;
use crate::metering::formats::edl40::block::{Block, Emoc, contract_field};
use crate::metering::formats::register::BinaryReading;
use crate::metering::formats::signed_record::{BlockSignature, Malformed, SignedBlock, SignedRecord, Unusable};
use crate::metering::json::Value;
use crate::metering::key::Curve;
use crate::metering::reading::SignedTime;
use crate::metering::signature;

/// The only curve of these meters.
const CURVE: Curve = Curve::Secp192r1;

/// Reads one signed value.
pub(super) fn read(value: Value<'_>) -> Result<SignedRecord<'static>, Malformed> {
    let signature = text(value, &["signature"]).ok_or_else(|| malformed("the signature is missing"))?;
    let block = block(value)?;
    if !block.is_energy() {
        return Err(malformed("the value is not in watt-hours"));
    }
    let signed = SignedBlock {
        octets: block.to_octets().to_vec().into(),
        signature: read_signature(&signature),
    };
    Ok(SignedRecord::new(
        FormatName::ChargeIt,
        signed,
        block.statement(SignedTime::local(block.local_time)),
    ))
}

fn read_signature(text: &str) -> Result<BlockSignature, Unusable> {
    let octets = hex::decode(text.trim()).map_err(|_| Unusable::malformed("the signature is not hex"))?;
    let signature = signature::read_raw(&octets, CURVE).map_err(Unusable::malformed)?;
    Ok(BlockSignature {
        curve: CURVE,
        signature,
    })
}

/// What the meter signed.
fn block(value: Value<'_>) -> Result<Block, Malformed> {
    let missing = |what: &'static str| move || malformed(format!("the member {what} is missing or cannot be read"));
    let measured = at(value, &["measuredValue"]).ok_or_else(missing("measuredValue"))?;
    let info = at(value, &["additionalInfo"]).ok_or_else(missing("additionalInfo"))?;
    let contract_time = at(value, &["contract"]).and_then(local_seconds);
    let pagination = octets::<4>(value, &["measurementId"]).ok_or_else(missing("measurementId"))?;
    let [status] = octets(info, &["status"]).ok_or_else(missing("additionalInfo.status"))?;
    let contract = text(value, &["contract", "id"]).unwrap_or_default();
    Ok(Block {
        server_id: octets(value, &["meterInfo", "meterId"]).ok_or_else(missing("meterInfo.meterId"))?,
        local_time: local_seconds(measured).ok_or_else(missing("measuredValue.timestampLocal"))?,
        status,
        second_index: number(info, &["indexes", "timer"]).ok_or_else(missing("additionalInfo.indexes.timer"))?,
        pagination: u32::from_be_bytes(pagination),
        reading: BinaryReading {
            obis: octets(value, &["measurand", "id"]).ok_or_else(missing("measurand.id"))?,
            unit: number(measured, &["unitEncoded"]).ok_or_else(missing("measuredValue.unitEncoded"))?,
            scaler: number(measured, &["scale"]).ok_or_else(missing("measuredValue.scale"))?,
            value: whole(measured, &["value"]).ok_or_else(missing("measuredValue.value"))?,
        },
        log: octets(info, &["indexes", "logBook"]).ok_or_else(missing("additionalInfo.indexes.logBook"))?,
        contract: contract_field(contract.as_bytes())
            .ok_or_else(|| malformed("the contract is longer than the block has room for"))?,
        contract_time: contract_time.ok_or_else(missing("contract.timestampLocal"))?,
        emoc: Emoc::default(),
    })
}

/// Seconds of the place's clock: they are signed, what is said about UTC is not.
fn local_seconds(holder: Value<'_>) -> Option<u32> {
    let utc = whole(holder, &["timestampLocal", "timestamp"])?;
    let minutes = |member| whole(holder, &["timestampLocal", member]).unwrap_or_default();
    let ahead = minutes("localOffset")
        .checked_add(minutes("seasonOffset"))?
        .checked_mul(60)?;
    u32::try_from(utc.checked_add(ahead)?).ok()
}

/// As many octets as there must be, in hex.
fn octets<const N: usize>(value: Value<'_>, path: &[&str]) -> Option<[u8; N]> {
    hex::decode(text(value, path)?.trim()).ok()?.try_into().ok()
}

fn number<T: TryFrom<i64>>(value: Value<'_>, path: &[&str]) -> Option<T> {
    T::try_from(whole(value, path)?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::json;
    use crate::metering::sign::SigningMeter;

    /// A value of a meter that does not exist.
    const VALUE: &str = r#"{"signature":"00","meterInfo":{"meterId":"0901454D4800007F9F3E"},"measurementId":"00000019",
        "measuredValue":{"timestampLocal":{"timestamp":1546961270,"localOffset":60,"seasonOffset":0},"value":"110281","scale":-1,"unitEncoded":30},
        "measurand":{"id":"0100011100FF"},"additionalInfo":{"indexes":{"timer":1758261,"logBook":"0004"},"status":"88"},
        "contract":{"id":"235DD5BB","timestampLocal":{"timestamp":1546961270,"localOffset":60,"seasonOffset":0}}}"#;

    fn block_of(text: &str) -> Result<Vec<u8>, Malformed> {
        block(json::read(text).unwrap()).map(|block| block.to_octets().to_vec())
    }

    #[test]
    fn members_become_the_block_that_the_meter_signed() {
        let octets = block_of(VALUE).unwrap();
        assert_eq!(hex::encode(&octets[..15]), "0901454d4800007f9f3e86cf345c88");
        assert_eq!(
            hex::encode(&octets[15..41]),
            "35d41a00190000000100011100ff1effc9ae0100000000000004"
        );
        assert_eq!(&octets[41..51], b"235DD5BB\0\0");
        assert_eq!(octets.len(), 320);
        let meter = SigningMeter::from_seed(CURVE, b"emh").unwrap();
        let signed = VALUE.replacen("\"00\"", &format!("\"{}\"", hex::encode(meter.sign_raw(&octets))), 1);
        let record = read(json::read(&signed).unwrap()).unwrap();
        assert!(record.blocks[0].signature.is_ok());
        assert_eq!(
            record.statement.readings[0].kilowatt_hours().unwrap().to_string(),
            "11.0281"
        );
    }

    #[test]
    fn the_split_of_local_time_is_not_signed_and_everything_else_is() {
        let genuine = block_of(VALUE).unwrap();
        let same_local = VALUE.replace("1546961270,\"localOffset\":60", "1546964870,\"localOffset\":0");
        assert_eq!(block_of(&same_local).unwrap(), genuine);
        for (from, to) in [
            ("7F9F3E", "7F9F3F"),
            ("00000019", "0000001A"),
            ("1546961270", "1546961271"),
            ("\"110281\"", "\"110282\""),
            ("-1", "-2"),
            ("11100FF", "11100C8"),
            ("1758261", "1758262"),
            ("0004", "0005"),
            ("\"88\"", "\"89\""),
            ("235DD5BB", "235DD5BC"),
        ] {
            assert_ne!(block_of(&VALUE.replacen(from, to, 1)).unwrap(), genuine, "{to}");
        }
    }

    #[test]
    fn a_member_that_is_missing_or_does_not_fit_is_malformed() {
        for (from, to) in [
            ("meterId", "meterid"),
            ("\"00000019\"", "\"019\""),
            ("1546961270", "99999999999"),
            ("\"localOffset\":60", "\"localOffset\":9223372036854775807"),
            ("\"110281\"", "\"11.5\""),
            ("-1", "-200"),
            ("\"unitEncoded\":30", "\"unitEncoded\":300"),
            ("235DD5BB", &"5".repeat(129)),
        ] {
            assert!(block_of(&VALUE.replacen(from, to, 1)).is_err(), "{to}");
        }
        let power = VALUE.replace("\"unitEncoded\":30", "\"unitEncoded\":27");
        assert!(read(json::read(&power).unwrap()).is_err());
    }
}
