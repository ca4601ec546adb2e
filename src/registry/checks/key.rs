//! The key alone, and what is said about it: PC-01 to PC-06, PC-16 to PC-18, PC-21.

use super::{Circumstances, Findings, Level, NewKey};
use crate::metering::formats::known::FormatName;
use crate::metering::key::{Curve, KeyError, PublicKey};
use crate::metering::plausible::folded;
use crate::metering::record::{Given, JudgedAs, SignedValue};
use crate::metering::session;

pub(super) fn check(claim: &NewKey, circumstances: &Circumstances, found: &mut Findings) -> Option<PublicKey> {
    let key = match read(claim) {
        Ok(key) => key,
        Err(error) => {
            let code = match &error {
                KeyError::PrivateKey => "PRIVATE_KEY_SUBMITTED",
                KeyError::NotOnCurve => "PUBLIC_KEY_NOT_ON_CURVE",
                KeyError::UnsupportedAlgorithm(what) if what.starts_with("explicit") => "CURVE_NOT_NAMED",
                KeyError::UnsupportedAlgorithm(_) => "UNSUPPORTED_ALGORITHM",
                _ => "PUBLIC_KEY_UNREADABLE",
            };
            found.add(code, Level::Error, "/public_key", error.to_string());
            return None;
        }
    };
    check_strength(&key, found);
    check_format(claim, &key, found);
    check_well_known(&key, circumstances, found);
    check_sample(claim, &key, circumstances, found);
    if let Some(reported) = &circumstances.reported_fingerprint
        && *reported != key.fingerprint()
    {
        let text = "the charge point reports another key for this meter";
        found.add("KEY_DIFFERS_FROM_CHARGE_POINT", Level::Warning, "/public_key", text);
    }
    Some(key)
}

/// The key of a claim, in whatever spelling.
pub(in crate::registry) fn read(claim: &NewKey) -> Result<PublicKey, KeyError> {
    let hint = claim.signing_method.as_deref().and_then(curve_named);
    PublicKey::read(&claim.public_key, hint).or_else(|error| match hint {
        // An SPKI names its own curve; that it is another one is a finding of its own.
        Some(_) => PublicKey::read(&claim.public_key, None).map_err(|_| error),
        None => Err(error),
    })
}

/// PC-03 as far as the curve is read and not verified, PC-05.
fn check_strength(key: &PublicKey, found: &mut Findings) {
    let name = key.curve().name();
    if matches!(key.curve(), Curve::Secp192k1 | Curve::Secp192r1) {
        let text = format!("{name} is a 192-bit curve");
        found.add("LEGACY_STRENGTH", Level::Warning, "/public_key", text);
    }
    if !key.curve().is_supported() {
        let text = format!("signatures on {name} cannot be verified by this version");
        found.add("CURVE_NOT_VERIFIABLE", Level::Warning, "/public_key", text);
    }
}

/// PC-06.
fn check_format(claim: &NewKey, key: &PublicKey, found: &mut Findings) {
    if let Some(method) = &claim.signing_method {
        match curve_named(method) {
            None => found.add(
                "SIGNING_METHOD_UNKNOWN",
                Level::Error,
                "/signing_method",
                "names no curve that is known here",
            ),
            Some(curve) if curve != key.curve() => {
                let text = format!("names {}, but the key is on {}", curve.name(), key.curve().name());
                found.add("CURVE_DOES_NOT_FIT_METHOD", Level::Error, "/signing_method", text);
            }
            Some(_) => {}
        }
    }
    let Some(label) = &claim.encoding_method else { return };
    match FormatName::from_encoding_method(label) {
        None => found.add(
            "ENCODING_METHOD_UNKNOWN",
            Level::Error,
            "/encoding_method",
            "names no format that is known here",
        ),
        Some(format) if !curves_of(format).is_none_or(|curves| curves.contains(&key.curve())) => {
            let text = format!("no meter signs in this format on {}", key.curve().name());
            found.add("CURVE_DOES_NOT_FIT_FORMAT", Level::Error, "/encoding_method", text);
        }
        Some(_) => {}
    }
}

/// The curves of a format (PC-06); `None` where any is possible.
fn curves_of(format: FormatName) -> Option<&'static [Curve]> {
    use Curve::*;
    match format {
        FormatName::Ocmf => Some(&[
            Secp192k1,
            Secp192r1,
            Secp256k1,
            Secp256r1,
            BrainpoolP256r1,
            Secp384r1,
            BrainpoolP384r1,
        ]),
        FormatName::Alfen => Some(&[Secp192r1]),
        FormatName::Edl40P => Some(&[Secp192r1, Secp256r1]),
        FormatName::Mennekes | FormatName::Edl40Sig => Some(&[Secp192r1]),
        FormatName::IsaEdl40P | FormatName::Pcdf => Some(&[Secp256r1]),
        _ => None,
    }
}

fn curve_named(text: &str) -> Option<Curve> {
    let text = text.trim();
    // OCMF names method, curve and hash in one: ECDSA-secp256r1-SHA256.
    let curve = text
        .strip_prefix("ECDSA-")
        .and_then(|rest| rest.rsplit_once("-SHA"))
        .map_or(text, |(curve, _)| curve);
    Curve::from_name(curve)
}

/// PC-16.
fn check_well_known(key: &PublicKey, circumstances: &Circumstances, found: &mut Findings) {
    let point = hex::encode(key.sec1_uncompressed().get(1..).unwrap_or_default());
    if !WELL_KNOWN.contains(&point.as_str()) {
        return;
    }
    let level = match circumstances.test_keys {
        true => Level::Warning,
        false => Level::Error,
    };
    found.add(
        "WELL_KNOWN_TEST_KEY",
        level,
        "/public_key",
        "everybody knows the private half of this key",
    );
}

/// Points whose private half is printed in a standard: the base points (private key 1), and the keys of RFC 6979, A.2.
pub(super) const WELL_KNOWN: [&str; 13] = [
    // secp192r1: base point, RFC 6979 A.2.3
    "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff101207192b95ffc8da78631011ed6b24cdd573f977a11e794811",
    "ac2c77f529f91689fea0ea5efec7f210d8eea0b9e047ed563bc723e57670bd4887ebc732c523063d0a7c957bc97c1c43",
    // secp192k1: base point
    "db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d",
    // secp256k1: base point
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
    // secp256r1: base point, RFC 6979 A.2.5
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    // secp224k1: base point
    "a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c7e089fed7fba344282cafbd6f7e319f7c0b0bd59e2ca4bdb556d61a5",
    // secp521r1: base point, RFC 6979 A.2.7
    "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
    // brainpoolP384r1: base point
    "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
    // brainpoolP256r1: base point
    "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
    // secp384r1: base point, RFC 6979 A.2.6
    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
];

/// PC-18.
fn check_sample(claim: &NewKey, key: &PublicKey, circumstances: &Circumstances, found: &mut Findings) {
    let Some(sample) = &claim.sample else {
        if circumstances.sample_is_required {
            found.add("SAMPLE_MISSING", Level::Error, "/sample", "a signed sample is required");
        }
        return;
    };
    let value = SignedValue {
        signed_data: sample,
        ..SignedValue::default()
    };
    let given = Given {
        encoding_method: claim.encoding_method.as_deref(),
        registered_key: Some(key),
        ..Given::default()
    };
    let examination = session::examine(&[value], &given, JudgedAs::Record);
    if !examination.all_fit() {
        let text = "the sample was not signed with this key";
        found.add("SAMPLE_DOES_NOT_FIT", Level::Error, "/sample", text);
        return;
    }
    let ours = [claim.unit.meter_serial.as_ref(), claim.unit.gateway_serial.as_ref()];
    let names_ours = |serial: &str| ours.iter().flatten().any(|one| folded(one) == folded(serial));
    let mut named = examination
        .records
        .iter()
        .flat_map(|record| {
            [
                record.statement.meter_serial.as_deref(),
                record.statement.gateway_serial.as_deref(),
            ]
        })
        .flatten()
        .peekable();
    if named.peek().is_some() && !named.any(names_ours) {
        let text = "the sample names another meter";
        found.add("SAMPLE_OF_OTHER_METER", Level::Error, "/sample", text);
    }
}
