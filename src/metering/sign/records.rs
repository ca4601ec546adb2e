//! Records of the binary formats, signed by a [`SigningMeter`]: for tests, fuzzing and demonstrations, never for bills.
//!
//! Whoever changes a field before signing gets a genuine record that says so; whoever changes the result gets a forgery.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::DateTime;

use super::SigningMeter;
use crate::metering::formats::edl40::block::{
    Block, COMPENSATED_IMPORT, Emoc, SIGNED_IMPORT, contract_field, local_seconds,
};
use crate::metering::formats::edl40::sml::checksum;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR};
use crate::metering::key::Curve;

/// The fields of an Alfen dataset.
#[derive(Debug, Clone)]
pub struct AlfenDataset {
    /// Id of the meter.
    pub meter: [u8; 10],
    /// Id of the adapter.
    pub adapter: [u8; 10],
    /// Status of the meter.
    pub meter_status: u16,
    /// Status of the adapter.
    pub adapter_status: u16,
    /// Operating seconds.
    pub second_index: u32,
    /// Seconds since 1970, UTC.
    pub time: u32,
    /// OBIS code.
    pub obis: [u8; 6],
    /// Power of ten.
    pub scaler: i8,
    /// Value in Wh.
    pub value: i64,
    /// Whom it names, at most 20 characters.
    pub user: String,
    /// The session.
    pub session: u32,
    /// The record number.
    pub paging: u32,
}

impl Default for AlfenDataset {
    fn default() -> AlfenDataset {
        AlfenDataset {
            meter: *b"\x0A\x01TW\0\0\0\0\0\x01",
            adapter: *b"\x0A\x02TW\0\0\0\0\0\x01",
            meter_status: 0,
            adapter_status: 0,
            second_index: 1000,
            time: 1_767_258_000,
            obis: [1, 0, 1, 8, 0, 255],
            scaler: 0,
            value: 100_000,
            user: String::new(),
            session: 1,
            paging: 1,
        }
    }
}

/// An Alfen record of the given type (0 start, 1 stop, 2 intermediate); the meter must be on secp192r1 for it to verify.
pub fn alfen(meter: &SigningMeter, kind: u8, dataset: &AlfenDataset) -> String {
    let mut user = [0; 20];
    user.iter_mut()
        .zip(dataset.user.bytes())
        .for_each(|(octet, c)| *octet = c);
    let parts: [&[u8]; 15] = [
        &dataset.adapter,
        b"v001",
        &[0, 0],
        &dataset.meter,
        &dataset.meter_status.to_le_bytes(),
        &dataset.adapter_status.to_le_bytes(),
        &dataset.second_index.to_le_bytes(),
        &dataset.time.to_le_bytes(),
        &dataset.obis,
        &[WATT_HOUR],
        &dataset.scaler.to_le_bytes(),
        &dataset.value.to_le_bytes(),
        &user,
        &dataset.session.to_le_bytes(),
        &dataset.paging.to_le_bytes(),
    ];
    let block = parts.concat();
    format!(
        "AP;{kind};3;{};{};{};",
        base32(&compressed(meter)),
        base32(&block),
        base32(&meter.sign_raw(&block))
    )
}

/// The fields of an EDL40 record.
#[derive(Debug, Clone)]
pub struct Edl40Fields {
    /// Serial number of the meter.
    pub server_id: [u8; 10],
    /// Seconds since 1970, UTC; written with the offset of two hours.
    pub utc: u32,
    /// Operating seconds.
    pub second_index: u32,
    /// The record number.
    pub pagination: u32,
    /// Tenths of watt-hours.
    pub value: i64,
    /// The compensated value of newer meters, or zero.
    pub compensated: i64,
    /// State of the logbook.
    pub log: [u8; 2],
    /// Whom it names.
    pub contract: Vec<u8>,
}

impl Default for Edl40Fields {
    fn default() -> Edl40Fields {
        Edl40Fields {
            server_id: *b"\x09\x01TWT\0\0\0\0\x01",
            utc: 1_782_892_800,
            second_index: 5000,
            pagination: 10,
            value: 1_000_000,
            compensated: 0,
            log: [0, 7],
            contract: b"04AABBCC".to_vec(),
        }
    }
}

/// Minutes from UTC to the local time of these records.
pub(super) const OFFSET_MINUTES: i32 = 120;

impl Edl40Fields {
    /// The block as it is signed.
    pub fn block(&self) -> Block {
        Block {
            server_id: self.server_id,
            local_time: local_seconds(self.utc, OFFSET_MINUTES),
            status: 8,
            second_index: self.second_index,
            pagination: self.pagination,
            reading: BinaryReading {
                obis: SIGNED_IMPORT,
                unit: WATT_HOUR,
                scaler: -1,
                value: self.value,
            },
            log: self.log,
            contract: contract_field(&self.contract).unwrap_or([0; 128]),
            contract_time: local_seconds(self.utc, OFFSET_MINUTES),
            emoc: Emoc::default(),
        }
    }

    fn log_signature(&self, meter: &SigningMeter, block: &Block) -> Vec<u8> {
        [&meter.sign_raw(&block.to_octets())[..], &self.log].concat()
    }
}

/// An EDL_40_P record, binary SML. On secp256r1 it is one of a newer meter, with its compensated value.
pub fn edl_40_p(meter: &SigningMeter, fields: &Edl40Fields) -> Vec<u8> {
    let mut block = fields.block();
    let is_emoc = meter.public_key().curve() == Curve::Secp256r1;
    if is_emoc {
        block.status = 1 << 3;
        block.emoc.compensated = fields.compensated;
    }
    // Bit 31 of the status of a newer meter becomes bit 3 of the signed octet.
    let status = sml_unsigned(if is_emoc { 1 << 31 } else { 8 }, 4);
    let time = sml_list(&[
        sml_unsigned(3, 1),
        sml_list(&[
            sml_unsigned(u64::from(fields.utc), 4),
            sml_signed(60, 2),
            sml_signed(60, 2),
        ]),
    ]);
    // A time inside a value: a choice of one, and in it the tag and the seconds.
    let index = sml_list(&[
        sml_unsigned(1, 1),
        sml_list(&[sml_unsigned(1, 1), sml_unsigned(u64::from(fields.second_index), 4)]),
    ]);
    let mut entries = vec![
        entry(
            &[0x81, 0x82, 0x81, 0x54, 0x01, 0xFF],
            [ABSENT.to_vec(), time.clone(), ABSENT.to_vec(), ABSENT.to_vec()],
            sml_octets(&fields.contract),
            ABSENT.to_vec(),
        ),
        entry(
            &SIGNED_IMPORT,
            [status, time, sml_unsigned(u64::from(WATT_HOUR), 1), sml_signed(-1, 1)],
            sml_signed(fields.value, 8),
            ABSENT.to_vec(),
        ),
        entry(
            &[0x81, 0x00, 0x60, 0x08, 0x00, 0x01],
            NOTHING_BESIDE.map(<[u8]>::to_vec),
            index,
            ABSENT.to_vec(),
        ),
        entry(
            &[0x81, 0x80, 0x81, 0x71, 0x01, 0xFF],
            NOTHING_BESIDE.map(<[u8]>::to_vec),
            sml_unsigned(u64::from(fields.pagination), 4),
            ABSENT.to_vec(),
        ),
    ];
    if fields.compensated != 0 {
        entries.push(entry(
            &COMPENSATED_IMPORT,
            NOTHING_BESIDE.map(<[u8]>::to_vec),
            sml_signed(fields.compensated, 8),
            ABSENT.to_vec(),
        ));
    }
    let signature = fields.log_signature(meter, &block);
    list_response(
        &fields.server_id,
        &[0x81, 0x80, 0x81, 0x71, 0x03, 0xFF],
        &entries,
        &signature,
    )
}

/// An EDL_40_SIG record, XML.
pub fn edl_40_sig(meter: &SigningMeter, fields: &Edl40Fields) -> String {
    let block = fields.block();
    let element = |name: &str, octets: &[u8]| {
        format!(
            "<{name} encoding=\"base64\">{}</{name}>",
            BASE64_STANDARD.encode(octets)
        )
    };
    format!(
        "<signedMeterValue>{}{}{}</signedMeterValue>",
        element("publicKey", &meter.public_key().sec1_uncompressed()[1..]),
        element("meterValueSignature", &fields.log_signature(meter, &block)),
        element("encodedMeterValue", &block.to_octets())
    )
}

/// A Mennekes process, XML, from its begin and its end.
pub fn mennekes(meter: &SigningMeter, [begin, end]: &[Edl40Fields; 2]) -> String {
    let local = |utc: u32| {
        let offset = chrono::FixedOffset::east_opt(OFFSET_MINUTES * 60);
        let time = DateTime::from_timestamp(i64::from(utc), 0);
        time.zip(offset)
            .map(|(time, offset)| time.with_timezone(&offset).to_rfc3339())
            .unwrap_or_default()
    };
    let measurement = |name: &str, fields: &Edl40Fields| {
        let block = fields.block();
        format!(
            "<{name}><TimestampCustomerIdent>{0}</TimestampCustomerIdent><Timestamp>{0}</Timestamp><Signature>{1}</Signature>\
             <EventCounter>{2}</EventCounter><MeterStatus>8</MeterStatus><Value>{3}</Value><Scaler>-1</Scaler>\
             <Pagination>{4}</Pagination><SecondIndex>{5}</SecondIndex></{name}>",
            local(fields.utc),
            hex::encode_upper(fields.log_signature(meter, &block)),
            u16::from_be_bytes(fields.log),
            fields.value,
            fields.pagination,
            fields.second_index
        )
    };
    format!(
        "<ChargingProcess><ServerId>{}</ServerId><PublicKey>{}</PublicKey><CustomerIdent>{}</CustomerIdent>{}{}</ChargingProcess>",
        hex::encode_upper(begin.server_id),
        hex::encode(&meter.public_key().sec1_uncompressed()[1..]),
        hex::encode_upper(&begin.contract),
        measurement("MeasurementStart", begin),
        measurement("MeasurementEnd", end)
    )
}

/// The fields of an ISA-EDL-40-P record.
#[derive(Debug, Clone)]
pub struct IsaFields {
    /// 0 begin, 1 update, 2 end.
    pub phase: u8,
    /// Tenths of watt-hours at the start.
    pub start: i64,
    /// Tenths of watt-hours now.
    pub actual: i64,
    /// Seconds since 1970 at the start, UTC.
    pub utc: u32,
    /// The record number.
    pub pagination: u32,
}

impl Default for IsaFields {
    fn default() -> IsaFields {
        IsaFields {
            phase: 2,
            start: 1000,
            actual: 1750,
            utc: 1_782_892_800,
            pagination: 3,
        }
    }
}

/// An ISA-EDL-40-P record, binary SML, an hour after its start; the meter must be on secp256r1 for it to verify.
pub fn isa_edl_40_p(meter: &SigningMeter, fields: &IsaFields) -> Vec<u8> {
    const SERVER: [u8; 10] = *b"\x09\x01TWI\0\0\0\0\x01";
    const LOG: [u8; 2] = [0, 3];
    const START: [u8; 6] = [1, 0, 1, 8, 0, 0x80];
    const ACTUAL: [u8; 6] = [1, 0, 1, 8, 0, 0xFF];
    let list_name = [0x81, 0x80, 0x81, 0x62, fields.phase, 0xFF];
    let (events, contract, value_signature) = ([0x80; 20], contract_field(b"CONTRACT").unwrap_or([0; 128]), [7; 66]);
    let parts: [&[u8]; 15] = [
        &SERVER,
        &(fields.utc + 3600).to_le_bytes(),
        &[0],
        &ACTUAL,
        &[WATT_HOUR, 0xFF],
        &fields.actual.to_le_bytes(),
        &LOG,
        &value_signature,
        &contract,
        &fields.utc.to_le_bytes(),
        &events,
        &[0],
        &START,
        &[WATT_HOUR, 0xFF],
        &[
            &fields.start.to_le_bytes()[..],
            &list_name,
            &fields.pagination.to_le_bytes(),
        ]
        .concat(),
    ];
    let mut block = parts.concat();
    block.resize(320, 0);
    let signature = [&meter.sign_raw(&block)[..], &LOG].concat();
    let value = |name: &[u8; 6], utc: u32, value: i64, signature: Vec<u8>| {
        let time = sml_list(&[sml_unsigned(2, 1), sml_unsigned(u64::from(utc), 4)]);
        let beside = [
            sml_unsigned(0, 4),
            time,
            sml_unsigned(u64::from(WATT_HOUR), 1),
            sml_signed(-1, 1),
        ];
        entry(name, beside, sml_signed(value, 8), signature)
    };
    let plain =
        |name: &[u8; 6], value: Vec<u8>| entry(name, NOTHING_BESIDE.map(<[u8]>::to_vec), value, ABSENT.to_vec());
    let entries = [
        plain(&[0x81, 0x82, 0x81, 0x54, 0x01, 0xFF], sml_octets(b"CONTRACT")),
        value(&START, fields.utc, fields.start, ABSENT.to_vec()),
        plain(
            &[0x81, 0x80, 0xC7, 0xF0, 0x40, 0xFF],
            sml_unsigned(u64::from(fields.pagination), 4),
        ),
        plain(&[0x81, 0x80, 0x81, 0x61, 0x01, 0xFF], sml_octets(&events)),
        value(&ACTUAL, fields.utc + 3600, fields.actual, sml_octets(&value_signature)),
    ];
    list_response(&SERVER, &list_name, &entries, &signature)
}

/// An absent optional value.
const ABSENT: &[u8] = &[0x01];

/// An entry without status, time, unit and power of ten.
const NOTHING_BESIDE: [&[u8]; 4] = [ABSENT; 4];

fn entry(name: &[u8; 6], beside: [Vec<u8>; 4], value: Vec<u8>, signature: Vec<u8>) -> Vec<u8> {
    let [status, time, unit, scaler] = beside;
    sml_list(&[sml_octets(name), status, time, unit, scaler, value, signature])
}

fn list_response(server_id: &[u8], name: &[u8], entries: &[Vec<u8>], signature: &[u8]) -> Vec<u8> {
    let response = sml_list(&[
        ABSENT.to_vec(),
        sml_octets(server_id),
        sml_octets(name),
        ABSENT.to_vec(),
        sml_list(entries),
        sml_octets(signature),
        ABSENT.to_vec(),
    ]);
    let mut message = sml_list(&[
        sml_octets(&[1]),
        sml_unsigned(0, 1),
        sml_unsigned(0, 1),
        sml_list(&[sml_unsigned(0x0701, 2), response]),
    ]);
    // Six elements: the checksum of the message and its end follow.
    message[0] = 0x76;
    let sum = checksum(&message);
    message.extend(sml_unsigned(u64::from(sum.swap_bytes()), 2));
    message.push(0);
    sml_file(&message)
}

/// An SML file around messages that are already encoded.
pub fn sml_file(messages: &[u8]) -> Vec<u8> {
    let mut file = [[0x1B; 4], [0x01; 4]].concat();
    let padding = (4 - messages.len() % 4) % 4;
    let body = [messages, &[0; 3][..padding]].concat();
    for word in body.chunks(4) {
        if word == [0x1B; 4] {
            file.extend(word);
        }
        file.extend(word);
    }
    file.extend([0x1B, 0x1B, 0x1B, 0x1B, 0x1A, padding as u8]);
    let sum = checksum(&file);
    file.extend(sum.to_le_bytes());
    file
}

fn sml_list(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut list = sml_header(7, elements.len());
    list.extend(elements.concat());
    list
}

fn sml_octets(octets: &[u8]) -> Vec<u8> {
    let header = if octets.len() < 15 { 1 } else { 2 };
    let mut value = sml_header(0, octets.len() + header);
    value.extend(octets);
    value
}

fn sml_unsigned(number: u64, size: usize) -> Vec<u8> {
    let mut value = sml_header(6, size + 1);
    value.extend(&number.to_be_bytes()[8 - size..]);
    value
}

fn sml_signed(number: i64, size: usize) -> Vec<u8> {
    let mut value = sml_header(5, size + 1);
    value.extend(&number.to_be_bytes()[8 - size..]);
    value
}

/// Type and length; up to 255, which is more than any field has.
fn sml_header(kind: u8, length: usize) -> Vec<u8> {
    let length = length as u8;
    match length {
        0..16 => vec![kind << 4 | length],
        _ => vec![0x80 | kind << 4 | length >> 4, length & 0x0F],
    }
}

fn compressed(meter: &SigningMeter) -> Vec<u8> {
    let point = meter.public_key().sec1_uncompressed();
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let is_odd = y.last().is_some_and(|octet| octet & 1 == 1);
    [&[if is_odd { 3 } else { 2 }], x].concat()
}

/// RFC 4648 base32 with padding.
fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    octets
        .chunks(5)
        .flat_map(|chunk| {
            let number = (0..5).fold(0u64, |number, at| {
                number << 8 | u64::from(chunk.get(at).copied().unwrap_or(0))
            });
            let symbols = (8 * chunk.len()).div_ceil(5);
            (0..8).map(move |at| {
                if at < symbols {
                    char::from(ALPHABET[(number >> (35 - 5 * at) & 31) as usize])
                } else {
                    '='
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::finding::Outcome;
    use crate::metering::record::{Given, JudgedAs, SignedValue};
    use crate::metering::session::{examine, signed_energy_kwh};

    fn judge(records: &[(&str, &str)], meter: &SigningMeter) -> (Outcome, Vec<&'static str>, Option<String>) {
        let values: Vec<SignedValue<'_>> = records
            .iter()
            .map(|(nature, record)| SignedValue {
                nature: Some(nature),
                signed_data: record,
                ..SignedValue::default()
            })
            .collect();
        let given = Given {
            registered_key: Some(meter.public_key()),
            ..Given::default()
        };
        let examination = examine(&values, &given, JudgedAs::Session);
        (
            examination.outcome,
            examination
                .all_findings()
                .map(|finding| finding.code.as_str())
                .collect(),
            signed_energy_kwh(&examination).map(|energy| energy.normalize().to_string()),
        )
    }

    #[test]
    fn sessions_of_every_format_made_here_are_valid_and_their_energy_is_exact() {
        let small = SigningMeter::from_seed(Curve::Secp192r1, b"sessions").unwrap();
        let large = SigningMeter::from_seed(Curve::Secp256r1, b"sessions").unwrap();
        let (begin, end) = (
            Edl40Fields::default(),
            Edl40Fields {
                value: 1_075_003,
                compensated: 1_075_003,
                pagination: 11,
                utc: 1_782_896_400,
                second_index: 8600,
                ..Edl40Fields::default()
            },
        );
        let expected = (Outcome::Valid, vec![], Some("7.5003".to_owned()));
        for meter in [&small, &large] {
            let begin = Edl40Fields {
                compensated: begin.value,
                ..begin.clone()
            };
            let sml = [&begin, &end].map(|fields| hex::encode(edl_40_p(meter, fields)));
            assert_eq!(judge(&[("Start", &sml[0]), ("End", &sml[1])], meter), expected);
            let xml = [&begin, &end].map(|fields| edl_40_sig(meter, fields));
            assert_eq!(judge(&[("Start", &xml[0]), ("End", &xml[1])], meter), expected);
        }
        let process = mennekes(&small, &[begin, end]);
        assert_eq!(judge(&[("End", &process)], &small), expected);

        let alfens = [0, 1].map(|kind| {
            let dataset = AlfenDataset {
                value: 100_000 + i64::from(kind) * 7500,
                paging: 1 + u32::from(kind),
                ..AlfenDataset::default()
            };
            alfen(&small, kind, &dataset)
        });
        let expected = (Outcome::Valid, vec![], Some("7.5".to_owned()));
        assert_eq!(judge(&[("Start", &alfens[0]), ("End", &alfens[1])], &small), expected);

        let isa = |phase| {
            let fields = IsaFields {
                phase,
                actual: if phase == 0 { 1000 } else { 76_000 },
                pagination: 3 + u32::from(phase),
                ..IsaFields::default()
            };
            hex::encode(isa_edl_40_p(&large, &fields))
        };
        assert_eq!(judge(&[("End", &isa(2))], &large), expected);
        let (outcome, findings, energy) = judge(&[("Start", &isa(0)), ("End", &isa(2))], &large);
        assert_eq!(
            (outcome, energy.as_deref()),
            (Outcome::Valid, Some("7.5")),
            "{findings:?}"
        );
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        for (octets, text) in [
            ("f", "MY======"),
            ("fo", "MZXQ===="),
            ("foob", "MZXW6YQ="),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(base32(octets.as_bytes()), text);
        }
    }
}
