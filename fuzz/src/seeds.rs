//! Where every search begins: genuine records of a meter that does not exist, in every format and in several wrappings.
//!
//! Always the same octets, because the signatures are deterministic: `tests/replay.rs` holds the files against this list.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use truewatt::evidence::export::{self, Form, Session};
use truewatt::metering::key::Curve;
use truewatt::metering::record::SignedValue;
use truewatt::metering::sign::SigningMeter;
use truewatt::metering::sign::documents::{
    BsmFields, GdfFields, charge_it_bsm, charge_it_emh, charge_point, charge_transparency_record, pcdf, ptb,
};
use truewatt::metering::sign::records::{
    AlfenDataset, Edl40Fields, IsaFields, alfen, edl_40_p, edl_40_sig, isa_edl_40_p, mennekes,
};

/// Where one search begins.
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// The name of its file.
    pub name: String,
    /// The input.
    pub octets: Vec<u8>,
}

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = Seeds {
        small: meter(Curve::Secp192r1),
        large: meter(Curve::Secp256r1),
        all: Vec::new(),
    };
    seeds.keys();
    seeds.records();
    seeds.documents();
    seeds.wholes();
    seeds.messages();
    seeds.wire();
    seeds.all
}

fn meter(curve: Curve) -> SigningMeter {
    SigningMeter::from_seed(curve, b"the meter of the seeds").expect("a curve that is signed on")
}

struct Seeds {
    small: SigningMeter,
    large: SigningMeter,
    all: Vec<Seed>,
}

impl Seeds {
    fn add(&mut self, target: &'static str, name: &str, octets: impl Into<Vec<u8>>) {
        self.all.push(Seed {
            target,
            name: name.to_owned(),
            octets: octets.into(),
        });
    }

    fn keys(&mut self) {
        for curve in Curve::SUPPORTED {
            let meter = meter(curve);
            let spki = meter.public_key().to_spki_der();
            // The first octet chooses the curve that the record would name; behind the last one it names none.
            let choice = Curve::ALL.iter().position(|known| *known == curve).unwrap_or_default() as u8;
            let none = Curve::ALL.len() as u8;
            let name = curve.name();
            self.add("public_key", &format!("{name}-spki"), [&[none][..], &spki[..]].concat());
            self.add(
                "public_key",
                &format!("{name}-point"),
                [&[choice][..], &meter.public_key().sec1_uncompressed()[1..]].concat(),
            );
            self.add(
                "public_key",
                &format!("{name}-signature"),
                [&[choice][..], &meter.sign(b"a block")[..]].concat(),
            );
            self.add(
                "public_key",
                &format!("{name}-rs"),
                [&[choice][..], &meter.sign_raw(b"a block")[..]].concat(),
            );
        }
        let none = Curve::ALL.len() as u8 as char;
        let spki = self.large.public_key().to_spki_der();
        let (hex, base64) = (hex::encode(&spki), BASE64_STANDARD.encode(&spki));
        for (name, text) in [
            ("hex", hex.clone()),
            ("base64", base64.clone()),
            (
                "pem",
                format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----"),
            ),
            ("oca", BASE64_STANDARD.encode(format!("oca:base16:asn1:{hex}"))),
            ("json", BASE64_STANDARD.encode(format!("{{\"UK\":\"{hex}\"}}"))),
        ] {
            self.add("public_key", name, format!("{none}{text}"));
        }
    }

    fn records(&mut self) {
        for curve in Curve::SUPPORTED {
            self.add(
                "ocmf",
                curve.name(),
                meter(curve).ocmf(&payload(1, "B", "10:00", "10.000")),
            );
        }
        let (section, payload) = split(&self.ocmf_end());
        self.add("ocmf", "both-readings", self.large.ocmf(BOTH_READINGS));
        self.add("ocmf", "split", format!("{section}\0{payload}"));

        for kind in [0, 1] {
            let dataset = AlfenDataset {
                value: 100_000 + i64::from(kind) * 7500,
                paging: 1 + u32::from(kind),
                ..AlfenDataset::default()
            };
            self.add("alfen", &format!("type-{kind}"), alfen(&self.small, kind, &dataset));
        }
        let [begin, end] = edl40();
        self.add("edl_40_p", "begin", edl_40_p(&self.small, &begin));
        self.add("edl_40_p", "end", edl_40_p(&self.small, &end));
        self.add("edl_40_p", "emoc", edl_40_p(&self.large, &end));
        for phase in 0..=2 {
            let fields = IsaFields {
                phase,
                ..IsaFields::default()
            };
            self.add(
                "isa_edl_40_p",
                &format!("phase-{phase}"),
                isa_edl_40_p(&self.large, &fields),
            );
        }
        self.add("edl_40_sig", "begin", edl_40_sig(&self.small, &begin));
        self.add("edl_40_sig", "emoc", edl_40_sig(&self.large, &end));
        self.add("mennekes", "process", mennekes(&self.small, &[begin, end]));
        self.add("pcdf", "line", pcdf(&self.large, "0007.500"));
        self.add("pcdf", "marks", format!("\u{2}{}\u{3}", pcdf(&self.large, "0007.500")));
    }

    fn documents(&mut self) {
        self.add("chargeit", "emh", charge_it_emh(&self.small, &edl40()));
        self.add("chargeit", "bsm", charge_it_bsm(&self.large, &[BsmFields::default()]));
        let (receipt, signature) = charge_point(&self.large, 1000, 8500);
        self.add("chargepoint", "parts", format!("{receipt}\0{signature}"));
        self.add("chargepoint", "receipt", receipt);
        self.add("ptb", "container", self.ptb());
        let gdf = [(2500, 0), (10_000, 3600)].map(|(value, later)| GdfFields {
            value,
            utc: 1_767_258_000 + later,
        });
        self.add("chargy", "graphdefined", charge_transparency_record(&self.large, &gdf));
        for (name, texts) in self.sessions() {
            self.add("safe_xml", name, self.safe_xml(&texts));
        }
    }

    fn wholes(&mut self) {
        let ocmf = self.ocmf_begin();
        let alfen = alfen(&self.small, 0, &AlfenDataset::default());
        let sml = edl_40_p(&self.small, &Edl40Fields::default());
        let xml = edl_40_sig(&self.small, &Edl40Fields::default());
        let escaped = xml.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let base64 = |octets: &[u8]| BASE64_STANDARD.encode(octets);
        for (name, text) in [
            ("base64", base64(ocmf.as_bytes())),
            ("hex", hex::encode(&alfen)),
            ("quoted", format!("\u{feff} \"{ocmf}\" ")),
            ("sml-hex", hex::encode(&sml)),
            ("base64-of-hex", base64(hex::encode(&sml).as_bytes())),
            ("escaped", escaped),
        ] {
            self.add("transport", name, text);
        }

        let pair = format!("{ocmf}\n{}", self.ocmf_end());
        let container = self.safe_xml(&[ocmf.clone(), self.ocmf_end()]);
        for (name, octets) in [
            ("record", ocmf.clone().into_bytes()),
            ("pair", pair.into_bytes()),
            ("sml", sml.clone()),
            ("hex", hex::encode(&sml).into_bytes()),
            ("file", container.into_bytes()),
            ("cdr", self.cdr("7.5").into_bytes()),
            ("list", format!("[{},{}]", self.ptb(), self.ptb()).into_bytes()),
            ("chargepoint", charge_point(&self.large, 1, 2).0.into_bytes()),
        ] {
            self.add("verify_input", name, octets);
        }
        self.add("cdr", "good", self.cdr("7.5"));
        self.add("cdr", "wrong-energy", self.cdr("8.5e0"));
        self.add(
            "cdr",
            "unsigned",
            r#"{"id":"C-1","total_energy":7.5,"cdr_token":{"uid":"04AA"}}"#,
        );
        for (name, texts) in self.sessions() {
            self.add("export", name, texts.concat());
        }
        self.add("export", "file", self.safe_xml(&[ocmf]));
    }

    fn messages(&mut self) {
        self.add("structure", "cdr", format!("\0{}", self.cdr("7.5")));
        self.add(
            "structure",
            "object",
            "\u{3}{\"country_code\":\"DE\",\"party_id\":\"TWH\",\"id\":1,\"last_updated\":\"2026\"}",
        );
        self.add(
            "patch",
            "document",
            "{\"a\":[{\"b\":\"c\",\"d\":1}],\"e\":null}\0{\"a\":[{\"b\":\"c\"}],\"f\":1.0}",
        );
        self.add(
            "splice",
            "body",
            "{\"u\":\"https://a.example/1\",\"v\":[1]}\0https://b.example/\u{e4}",
        );
        self.add("splice", "query", "u=a%20b&offset=1\0https://b.example/?c=d");
        self.add(
            "splice",
            "nested",
            "d=9&u=https://a.example/?b=1&c=%2B\0https://b.example/?c=d",
        );
        self.add(
            "shown_session",
            "session",
            r#"{"id":"S1","kwh":1.50,"cdr_token":{"country_code":"DE","uid":"04A2B3C4","contract_id":"DE-ABC-C12345678"},"x":1}"#,
        );
        self.add("metering_json", "payload", BOTH_READINGS);
        self.add("metering_json", "receipt", charge_point(&self.large, 1, 2).0);
    }

    fn wire(&mut self) {
        const CREDENTIALS: &str = r#"{"token":"t","url":"https://a.example/versions","roles":[{"role":"CPO","country_code":"DE","party_id":"ABC","business_details":{"name":"A"}}]}"#;
        let answer = |data: &str| {
            format!(r#"{{"data":{data},"status_code":1000,"status_message":"ä","timestamp":"2026-01-01T10:00:00Z"}}"#)
        };
        self.add("envelope", "credentials", answer(CREDENTIALS));
        self.add(
            "envelope",
            "versions",
            answer(r#"[{"version":"2.2.1","url":"https://a.example/2.2.1"}]"#),
        );
        self.add(
            "envelope",
            "details",
            answer(r#"{"version":"2.2.1","endpoints":[{"identifier":"cdrs","role":"SENDER","url":"https://a.example/c"}]}"#),
        );
        self.add(
            "headers",
            "routed",
            "OCPI-to-country-code: DE\nOCPI-to-party-id: ABC\nOCPI-from-country-code: NL\nOCPI-from-party-id: X\nX-Request-ID: 1\nX-Correlation-ID: 2",
        );
        self.add("token", "base64", "Token YWJjLWRlZg==");
        self.add("token", "raw", "tOKEN  abc-def ");
        self.add("url", "joined", "https://a.example:8443/cdrs/?a=b#c\0DE*ABC/../%2e%2E");
        self.add("url", "addresses", "https://[::ffff:10.0.0.1]/\0https://0x7f.1/");
        self.add("time", "offset", "2026-1-1T10:00:00.123456789+01:00");
        self.add("time", "leap-second", "2016-12-31t23:59:60z");
        self.add("number", "same", "1.0\x0010e-1");
        self.add(
            "number",
            "long",
            "79228162514264337593543950335\0-0.0000000000000000000000000001",
        );
        self.add(
            "page",
            "asked",
            "?date_from=2026-01-01T00:00:00%2B01:00&date_to=2026-01-02&offset=1&limit=50",
        );
        self.add(
            "page",
            "link",
            "<https://a.example/?x=1>; rel=prev, </2>; title=\"a,b\"; rel=\"last next\"",
        );
        self.add("json", "credentials", CREDENTIALS);
        self.add(
            "json",
            "escapes",
            r#"{"a":"\u00e4\ud83d\ude00","a":[1.0,1e0,null,true]}"#,
        );
    }

    fn ocmf_begin(&self) -> String {
        self.large.ocmf(&payload(1, "B", "10:00", "10.000"))
    }

    fn ocmf_end(&self) -> String {
        self.large.ocmf(&payload(2, "E", "11:00", "17.500"))
    }

    fn ptb(&self) -> String {
        ptb(&self.large, &self.ocmf_begin(), &self.ocmf_end())
    }

    /// Values of one session each, by the name of what they are.
    fn sessions(&self) -> Vec<(&'static str, Vec<String>)> {
        let [begin, end] = edl40();
        vec![
            ("ocmf", vec![self.ocmf_begin(), self.ocmf_end()]),
            (
                "sml",
                [&begin, &end]
                    .map(|fields| hex::encode(edl_40_p(&self.small, fields)))
                    .into(),
            ),
            ("xml", vec![edl_40_sig(&self.small, &begin)]),
            ("pcdf", vec![pcdf(&self.large, "0007.500")]),
        ]
    }

    fn safe_xml(&self, texts: &[String]) -> String {
        let natures = ["Start", "End"];
        let session = Session {
            values: texts
                .iter()
                .zip(natures)
                .map(|(text, nature)| SignedValue {
                    nature: Some(nature),
                    signed_data: text,
                    ..SignedValue::default()
                })
                .collect(),
            registered_key: Some(self.large.public_key()),
            ..Session::default()
        };
        String::from_utf8(export::write(&[session], Form::SafeXml)).expect("XML is text")
    }

    fn cdr(&self, energy: &str) -> String {
        let signed = serde_json::json!({
            "encoding_method": "OCMF", "public_key": hex::encode(self.large.public_key().to_spki_der()),
            "signed_values": [
                {"nature": "Start", "plain_data": "", "signed_data": self.ocmf_begin()},
                {"nature": "End", "plain_data": "", "signed_data": self.ocmf_end()},
            ],
        });
        format!(
            r#"{{"country_code":"DE","party_id":"ABC","id":"C-1","start_date_time":"2026-01-01T09:00:00Z","end_date_time":"2026-01-01T10:00:00Z","cdr_token":{{"country_code":"DE","party_id":"EMS","uid":"04AA"}},"cdr_location":{{"evse_uid":"1","evse_id":"DE*ABC*E1"}},"total_energy":{energy},"signed_data":{signed}}}"#
        )
    }
}

const BOTH_READINGS: &str = r#"{"FV":"1.0","GI":"Gateway | ä","GS":"G1","PG":"T3","MS":"M1","IS":true,"IL":"VERIFIED","IF":["RFID_RELATED"],"IT":"ISO14443","ID":"04AA","CT":"EVSEID","CI":"DE*ABC*E1","RD":[{"TM":"2026-01-01T10:00:00,000+0100 S","TX":"B","RV":10.000,"RI":"1-0:1.8.0","RU":"kWh","RT":"AC","EF":"","ST":"G"},{"TM":"2026-01-01T11:00:00,000+0100 S","TX":"E","RV":17.500}]}"#;

fn payload(page: u32, marker: &str, time: &str, value: &str) -> String {
    format!(
        r#"{{"FV":"1.0","GS":"G1","MS":"M1","PG":"T{page}","IL":"VERIFIED","ID":"04AA","RD":[{{"TM":"2026-01-01T{time}:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
    )
}

/// Signature section and payload of a record.
fn split(record: &str) -> (String, String) {
    let (payload, section) = record
        .strip_prefix("OCMF|")
        .and_then(|rest| rest.rsplit_once('|'))
        .expect("a record");
    (section.to_owned(), payload.to_owned())
}

fn edl40() -> [Edl40Fields; 2] {
    [(1_000_000, 10, 0), (1_075_003, 11, 3600)].map(|(value, pagination, later)| Edl40Fields {
        value,
        compensated: value,
        pagination,
        utc: 1_782_892_800 + later,
        second_index: 5000 + later,
        ..Edl40Fields::default()
    })
}
