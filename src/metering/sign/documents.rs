//! Records that travel as documents or as a line of text, signed by a [`SigningMeter`]: for tests, fuzzing and demonstrations, never for bills.
//!
//! As in [`records`](super::records): whoever changes a field before signing gets a genuine document that says so; whoever changes the result
//! gets a forgery.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::SigningMeter;
use super::records::{Edl40Fields, OFFSET_MINUTES};
use crate::metering::formats::chargy::GdfBlock;
use crate::metering::formats::edl40::block::SIGNED_IMPORT;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR};

/// A PCDF line of a session of one hour; `kilowatt_hours` as the format writes it (`0022.340`). The meter must be on secp256r1 for it to verify.
pub fn pcdf(meter: &SigningMeter, kilowatt_hours: &str) -> String {
    let key = hex::encode(meter.public_key().sec1_uncompressed());
    let signed = format!(
        "128.8.0(ST:260101100000)(CT:260101110000)(CD:010000)(TV:1)(BV:1)(CSC:42)(SP:1)(RV:{kilowatt_hours}*kWh)\
         (SI:04AABBCC*1*tx-42)(CS:513f627b)(HW:TW-DC-00001)(DT:0)(PK:{key})"
    );
    format!("{signed}(SG:{})", hex::encode(meter.sign(signed.as_bytes())))
}

/// A chargeIT document of an EMH meter: the values of one session in their order. The meter must be on secp192r1 for it to verify.
pub fn charge_it_emh(meter: &SigningMeter, values: &[Edl40Fields]) -> String {
    let values: Vec<Value> = values.iter().map(|fields| emh_value(meter, fields)).collect();
    json!({ "signedMeterValues": values }).to_string()
}

fn emh_value(meter: &SigningMeter, fields: &Edl40Fields) -> Value {
    let local = json!({"timestamp": fields.utc, "localOffset": OFFSET_MINUTES - 60, "seasonOffset": 60});
    json!({
        "timestamp": fields.utc,
        "meterInfo": {
            "meterId": hex::encode_upper(fields.server_id),
            "publicKey": hex::encode(&meter.public_key().sec1_uncompressed()[1..]),
        },
        "transactionId": "42",
        "contract": {"id": String::from_utf8_lossy(&fields.contract), "timestampLocal": local},
        "measurementId": format!("{:08X}", fields.pagination),
        "measuredValue": {"timestampLocal": local, "value": fields.value.to_string(), "scale": -1, "unitEncoded": 30},
        "measurand": {"id": "0100011100FF", "name": "ENERGY_TOTAL"},
        "additionalInfo": {"indexes": {"timer": fields.second_index, "logBook": hex::encode_upper(fields.log)}, "status": "08"},
        "signature": hex::encode_upper(meter.sign_raw(&fields.block().to_octets())),
    })
}

/// The fields of a BSM snapshot.
#[derive(Debug, Clone)]
pub struct BsmFields {
    /// 1 begin, 2 end.
    pub kind: u32,
    /// Watt-hours of the session.
    pub energy: u32,
    /// The number of the snapshot.
    pub counter: u32,
    /// Seconds since 1970, UTC; the place is an hour ahead.
    pub epoch: u32,
}

impl Default for BsmFields {
    fn default() -> BsmFields {
        BsmFields {
            kind: 1,
            energy: 0,
            counter: 10,
            epoch: 1_767_258_000,
        }
    }
}

/// A chargeIT document of a BSM meter: the snapshots of one session in their order. The meter must be on secp256r1 for it to verify.
pub fn charge_it_bsm(meter: &SigningMeter, snapshots: &[BsmFields]) -> String {
    let values: Vec<Value> = snapshots.iter().map(|fields| bsm_value(meter, fields)).collect();
    json!({ "signedMeterValues": values }).to_string()
}

fn bsm_value(meter: &SigningMeter, fields: &BsmFields) -> Value {
    enum Signed<'a> {
        Number(u32, u8),
        Text(&'a str),
    }
    use Signed::{Number, Text};
    // Codes of units: Wh, W, s, min, and none.
    const NONE: u8 = 255;
    let snapshot = [
        ("Typ", Number(fields.kind, NONE)),
        ("RCR", Number(fields.energy, 30)),
        ("TotWhImp", Number(100_000, 30)),
        ("W", Number(0, 27)),
        ("MA1", Text("TW-BSM-0001")),
        ("RCnt", Number(fields.counter, NONE)),
        ("OS", Number(5000, 7)),
        ("Epoch", Number(fields.epoch, 7)),
        ("TZO", Number(60, 6)),
        ("EpochSetCnt", Number(1, NONE)),
        ("EpochSetOS", Number(1, 7)),
        ("DI", Number(0, NONE)),
        ("DO", Number(0, NONE)),
        ("Meta1", Text("contract-id: rfid:04aabbcc")),
        ("Meta2", Text("")),
        ("Meta3", Text("")),
        ("Evt", Number(0, NONE)),
    ];
    let mut block = Vec::new();
    let mut values = Vec::new();
    for (name, signed) in snapshot {
        let value = match signed {
            Number(number, unit) => {
                block.extend(number.to_be_bytes());
                block.extend([0, unit]);
                json!({"valueType": "UnsignedInteger32", "value": number, "scale": 0, "unitEncoded": unit})
            }
            Text(text) => {
                block.extend((text.len() as u32).to_be_bytes());
                block.extend(text.as_bytes());
                json!({"valueType": "String", "value": text, "valueEncoding": "UTF-8"})
            }
        };
        values.push(json!({"measurand": {"name": name}, "measuredValue": value}));
    }
    json!({
        "@context": "bsm-ws36a-json-v1",
        "meterInfo": {"meterId": "TW-BSM-0001", "publicKey": hex::encode(meter.public_key().to_spki_der())},
        "transactionId": "42",
        "additionalValues": values,
        "signature": hex::encode(meter.sign(&block)),
    })
}

/// A ChargePoint receipt of a session of one hour, in watt-hours, and its signature. The meter must be on secp256r1 for it to verify.
pub fn charge_point(meter: &SigningMeter, start: u64, end: u64) -> (String, String) {
    let receipt = json!({
        "energy": [{"start_time_utc": 1_767_258_000, "end_time_utc": 1_767_261_600, "units": "kWh"}],
        "additional_info": {
            "session_id": 42, "meter_serial": "TW-CP-0001", "driver_info": "04AABBCC",
            "meter_startreading": start, "meter_endreading": end, "energy_units": "Wh",
        },
    })
    .to_string();
    let signature = hex::encode(meter.sign(receipt.as_bytes()));
    (receipt, signature)
}

/// The container of the PTB around two OCMF records.
pub fn ptb(meter: &SigningMeter, begin: &str, end: &str) -> String {
    json!({
        "format": "ptb", "formatVersion": "1.0", "publicKey": BASE64_STANDARD.encode(meter.public_key().to_spki_der()),
        "ocmfBegin": begin, "ocmfEnd": end,
    })
    .to_string()
}

/// The fields of one measured value of a GraphDefined meter.
#[derive(Debug, Clone)]
pub struct GdfFields {
    /// Watt-hours.
    pub value: i64,
    /// Seconds since 1970, UTC; written so.
    pub utc: u32,
}

/// A charge transparency record of one session at a GraphDefined meter. The meter must be on secp256r1 for it to verify.
pub fn charge_transparency_record(meter: &SigningMeter, values: &[GdfFields]) -> String {
    const CONTEXT: &str = "https://open.charging.cloud/contexts/SessionSignatureFormats/GDFCrypt01+json";
    const METER: &str = "TWGDF00001";
    let authorized = values.first().map_or(0, |fields| fields.utc);
    let measured: Vec<Value> = values
        .iter()
        .map(|fields| {
            let block = GdfBlock {
                meter: METER,
                seconds: fields.utc.into(),
                reading: BinaryReading {
                    obis: SIGNED_IMPORT,
                    unit: WATT_HOUR,
                    scaler: 0,
                    value: fields.value,
                },
                authorization: &[0x04, 0xAA, 0xBB, 0xCC],
                authorized: authorized.into(),
            };
            let signature = meter.sign_raw(&block.to_octets());
            let (r, s) = signature.split_at(signature.len() / 2);
            json!({
                "timestamp": utc(fields.utc), "value": fields.value.to_string(),
                "signatures": [{"algorithm": "secp256r1", "format": "rs", "r": hex::encode(r), "s": hex::encode(s)}],
            })
        })
        .collect();
    json!({
        "@id": "42", "@context": "https://open.charging.cloud/contexts/CTR+json",
        "chargingStations": [{"@id": "DE*TWH*S1", "EVSEs": [{"@id": "DE*TWH*E1", "meters": [{
            "@id": METER,
            "publicKeys": [{"algorithm": "secp256r1", "format": "DER", "value": hex::encode(meter.public_key().sec1_uncompressed())}],
        }]}]}],
        "chargingSessions": [{
            "@id": "42", "@context": CONTEXT, "EVSEId": "DE*TWH*E1",
            "authorizationStart": {"@id": "04AABBCC", "type": "RFID_UID", "timestamp": utc(authorized)},
            "measurements": [{
                "energyMeterId": METER, "@context": CONTEXT, "name": "ENERGY_TOTAL",
                "obis": hex::encode_upper(SIGNED_IMPORT), "unitEncoded": WATT_HOUR, "scale": 0, "values": measured,
            }],
        }],
    })
    .to_string()
}

fn utc(seconds: u32) -> String {
    chrono::DateTime::from_timestamp(seconds.into(), 0)
        .map(|time| time.format("%FT%TZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::finding::Outcome;
    use crate::metering::key::Curve;
    use crate::metering::record::{Given, JudgedAs, SignedValue};
    use crate::metering::session::{examine, signed_energy_kwh};

    /// Outcome and energy under the key of that meter.
    fn judge(meter: &SigningMeter, signed_data: &str, plain_data: &str) -> (Outcome, Option<String>) {
        let value = SignedValue {
            signed_data,
            plain_data,
            ..SignedValue::default()
        };
        let given = Given {
            registered_key: Some(meter.public_key()),
            ..Given::default()
        };
        let examination = examine(&[value], &given, JudgedAs::Session);
        let energy = signed_energy_kwh(&examination).map(|energy| energy.normalize().to_string());
        (examination.outcome, energy)
    }

    #[test]
    fn documents_of_every_kind_made_here_are_valid_and_say_the_energy_exactly() {
        let small = SigningMeter::from_seed(Curve::Secp192r1, b"documents").unwrap();
        let large = SigningMeter::from_seed(Curve::Secp256r1, b"documents").unwrap();
        let emh = [(1_000_000, 10, 0), (1_075_000, 11, 3600)].map(|(value, pagination, later)| Edl40Fields {
            value,
            pagination,
            utc: 1_782_892_800 + later,
            second_index: 5000 + later,
            ..Edl40Fields::default()
        });
        let bsm = [(1, 0, 10, 0), (2, 7500, 11, 3600)].map(|(kind, energy, counter, later)| BsmFields {
            kind,
            energy,
            counter,
            epoch: 1_767_258_000 + later,
        });
        let gdf = [(2500, 0), (10_000, 3600)].map(|(value, later)| GdfFields {
            value,
            utc: 1_767_258_000 + later,
        });
        let (receipt, signature) = charge_point(&large, 1000, 8500);
        let documents = [
            (&large, pcdf(&large, "0007.500"), String::new()),
            (&small, charge_it_emh(&small, &emh), String::new()),
            (&large, charge_it_bsm(&large, &bsm), String::new()),
            (&large, charge_transparency_record(&large, &gdf), String::new()),
            (&large, signature, receipt),
        ];
        for (meter, signed_data, plain_data) in &documents {
            let expected = (Outcome::Valid, Some("7.5".to_owned()));
            assert_eq!(judge(meter, signed_data, plain_data), expected, "{signed_data}");
        }
    }
}
