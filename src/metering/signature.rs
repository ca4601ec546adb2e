//! Digest, key, signature: does it fit?
//!
//! Only ECDSA, and never a question of formats: whoever calls has found the signed bytes and hashed them. Two rules come from
//! real meters (signed-metering formats 4). A high s is normal, and with (r, s) the pair (r, n-s) fits too, so a signature is
//! *not* an identity: replay is recognised by the signed block. And r and s are compared with the order before anything is
//! computed, so that zero and the order itself are answered with a word of their own.
//!
//! Start with [`verify`].

use std::sync::OnceLock;

use super::curves::Curve;
use super::der;
use super::key::PublicKey;
use super::known_answers::KNOWN_ANSWERS;
use super::limits::MAX_SIGNATURE_BYTES;

/// What came of holding a signature against a digest and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The holder of the key signed this digest.
    Fits,
    /// Digest, key and signature do not belong together.
    DoesNotFit,
    /// r or s is not between 1 and n - 1: no signature on this curve, whatever the digest.
    OutOfRange,
    /// A curve whose keys are read but whose signatures are not verified ([`Curve::is_supported`]).
    Unsupported,
}

/// Holds a signature against the digest of the signed bytes.
///
/// The curve is the key's. The digest is the whole output of the hash function, SHA-256 in every format of the field; where
/// it is longer than the curve's order its leftmost bits count (FIPS 186-5, 6.4.2). Uses aws-lc-rs for the NIST curves from
/// 256 bits on where it is compiled in, RustCrypto otherwise.
pub fn verify(key: &PublicKey, digest: &[u8], signature: &Signature) -> Check {
    key.verifier().check(digest, signature)
}

/// The same question put to RustCrypto on every curve: for tests, for measuring, and for whoever doubts the fast answer.
pub fn verify_reference(key: &PublicKey, digest: &[u8], signature: &Signature) -> Check {
    key.verifier().check_reference(digest, signature)
}

/// The two integers of an ECDSA signature as they were written; whether they are in range is only known beside a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    r: Vec<u8>,
    s: Vec<u8>,
    form: SignatureForm,
}

/// How a signature was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureForm {
    /// DER as the standards want it.
    Der,
    /// DER around integers with superfluous leading zeros, as eBZ LD3 meters write them.
    PaddedDer,
    /// DER around an integer whose sign octet is missing, so that it reads as a negative number; eBZ LD3 again.
    NegativeDer,
    /// r‖s, each as long as the order of the curve.
    Raw,
}

/// Why bytes are no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No byte at all.
    #[error("the signature is empty")]
    Empty,
    /// Longer than any signature on any curve known here.
    #[error("the signature is longer than {MAX_SIGNATURE_BYTES} bytes")]
    TooLong,
    /// Neither a DER SEQUENCE that covers the bytes nor anything that could be one.
    #[error("the signature is not one DER sequence, or bytes follow it")]
    NotASequence,
    /// A SEQUENCE that does not hold exactly two INTEGERs.
    #[error("the signature does not hold exactly two integers")]
    NotTwoIntegers,
    /// An integer that is padded or negative beyond what meters are known to write.
    #[error("an integer of the signature is not encoded as the field does it")]
    Integer,
    /// A bare r‖s whose length is not that of the curve.
    #[error("a bare signature on this curve has {expected} bytes, this one has {found}")]
    Length {
        /// Twice the bytes of the order.
        expected: usize,
        /// What there was.
        found: usize,
    },
}

impl SignatureError {
    /// The reason code of signed-metering formats 20.
    pub fn reason(self) -> &'static str {
        "signature_malformed"
    }
}

/// Reads a signature in whichever of the two forms it has: a DER SEQUENCE, or else r‖s if the length is the curve's.
///
/// Isabellenhütte signs OCMF with bare r‖s although the specification knows only DER.
///
/// # Errors
/// Those of [`read_der`], unless the length is that of r‖s.
pub fn read(bytes: &[u8], curve: Curve) -> Result<Signature, SignatureError> {
    match read_der(bytes, curve) {
        Err(_) if bytes.len() == 2 * curve.scalar_bytes() => read_raw(bytes, curve),
        answer => answer,
    }
}

/// Reads `SEQUENCE { INTEGER r, INTEGER s }` in strict DER, with the two deviations meters are known for: INTEGERs padded with
/// zeros up to one octet more than the order has, and INTEGERs of at most the order's length whose sign octet is missing. Both
/// are read as unsigned and show in [`Signature::form`]. Bytes behind the sequence, a third element and BER's long lengths are
/// refused.
///
/// # Errors
/// Says which rule is broken; in every case the record is malformed.
pub fn read_der(bytes: &[u8], curve: Curve) -> Result<Signature, SignatureError> {
    check_size(bytes)?;
    let content = der::whole_sequence(bytes).ok_or(SignatureError::NotASequence)?;
    let mut elements = der::Elements::of(content);
    let (Some(r), Some(s), true) = (
        elements.expect(der::INTEGER),
        elements.expect(der::INTEGER),
        elements.is_at_end(),
    ) else {
        return Err(SignatureError::NotTwoIntegers);
    };
    let form = match (integer_form(r, curve)?, integer_form(s, curve)?) {
        (SignatureForm::Der, form) | (form, _) => form,
    };
    Ok(Signature::new(r, s, form))
}

/// Reads r‖s, each half as long as the order of the curve.
///
/// # Errors
/// Any other length.
pub fn read_raw(bytes: &[u8], curve: Curve) -> Result<Signature, SignatureError> {
    check_size(bytes)?;
    let expected = 2 * curve.scalar_bytes();
    if bytes.len() != expected {
        return Err(SignatureError::Length {
            expected,
            found: bytes.len(),
        });
    }
    let (r, s) = bytes.split_at(curve.scalar_bytes());
    Ok(Signature::new(r, s, SignatureForm::Raw))
}

impl Signature {
    fn new(r: &[u8], s: &[u8], form: SignatureForm) -> Self {
        Self {
            r: der::without_leading_zeros(r).to_vec(),
            s: der::without_leading_zeros(s).to_vec(),
            form,
        }
    }

    /// r, big-endian without leading zeros; zero is empty.
    pub fn r(&self) -> &[u8] {
        &self.r
    }

    /// s, big-endian without leading zeros; zero is empty.
    pub fn s(&self) -> &[u8] {
        &self.s
    }

    /// How it was written. Anything but [`SignatureForm::Der`] is a departure from OCMF's text worth reporting.
    pub fn form(&self) -> SignatureForm {
        self.form
    }

    /// The same integers in strict DER.
    pub fn to_der(&self) -> Vec<u8> {
        let mut content = der::unsigned_integer(&self.r);
        content.extend(der::unsigned_integer(&self.s));
        der::element(der::SEQUENCE, &content)
    }
}

/// Verifies one signature per supported curve that OpenSSL made, and sees that a changed digest does not fit, through each
/// implementation that is compiled in. Costs a few milliseconds, once in the life of a process; a program that trusts its own arithmetic
/// calls it at start-up.
///
/// # Errors
/// A sentence naming the curve and the implementation that failed. Nothing may be verified after that.
pub fn self_test() -> Result<(), String> {
    static OUTCOME: OnceLock<Result<(), String>> = OnceLock::new();
    OUTCOME.get_or_init(known_answers_fit).clone()
}

fn known_answers_fit() -> Result<(), String> {
    type Implementation = fn(&PublicKey, &[u8], &Signature) -> Check;
    const IMPLEMENTATIONS: [(&str, Implementation); 2] = [("default", verify), ("reference", verify_reference)];

    for answer in &KNOWN_ANSWERS {
        let curve = answer.curve;
        let failed = |what: &str| format!("self-test of {curve}: {what}");
        let key =
            PublicKey::read(answer.key, None).map_err(|error| failed(&format!("the known key is refused: {error}")))?;
        let signature = hex::decode(answer.signature)
            .map_err(|error| failed(&error.to_string()))
            .and_then(|der| read_der(&der, curve).map_err(|error| failed(&error.to_string())))?;
        let digest = answer.digest();
        let mut changed = digest;
        changed[0] ^= 0x80;
        for (name, verify) in IMPLEMENTATIONS {
            if verify(&key, &digest, &signature) != Check::Fits {
                return Err(failed(&format!("{name} refuses a genuine signature")));
            }
            if verify(&key, &changed, &signature) != Check::DoesNotFit {
                return Err(failed(&format!("{name} accepts a changed digest")));
            }
        }
    }
    Ok(())
}

fn check_size(bytes: &[u8]) -> Result<(), SignatureError> {
    match bytes.len() {
        0 => Err(SignatureError::Empty),
        length if length > MAX_SIGNATURE_BYTES => Err(SignatureError::TooLong),
        _ => Ok(()),
    }
}

fn integer_form(content: &[u8], curve: Curve) -> Result<SignatureForm, SignatureError> {
    match *content {
        [] => Err(SignatureError::Integer),
        [0, second, ..] if second < 0x80 && content.len() <= curve.scalar_bytes() + 1 => Ok(SignatureForm::PaddedDer),
        [0, second, ..] if second < 0x80 => Err(SignatureError::Integer),
        [first, ..] if first >= 0x80 && content.len() <= curve.scalar_bytes() => Ok(SignatureForm::NegativeDer),
        [first, ..] if first >= 0x80 => Err(SignatureError::Integer),
        _ => Ok(SignatureForm::Der),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::sign::SigningMeter;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_curve_verifies_what_openssl_signed() {
        assert_eq!(self_test(), Ok(()));
        let curves: Vec<Curve> = KNOWN_ANSWERS.iter().map(|answer| answer.curve).collect();
        assert_eq!(curves, Curve::SUPPORTED);
    }

    // RFC 6979, A.2.7: the hash is shorter than half the order, and is not shifted.
    #[test]
    fn sha_256_on_secp521r1_is_what_rfc_6979_signed() {
        let key = PublicKey::read("0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5", Some(Curve::Secp521r1)).unwrap();
        let signature = read(&hex::decode("01511bb4d675114fe266fc4372b87682baecc01d3cc62cf2303c92b3526012659d16876e25c7c1e57648f23b73564d67f61c6f14d527d54972810421e7d87589e1a7004a171143a83163d6df460aaf61522695f207a58b95c0644d87e52aa1a347916e4f7a72930b1bc06dbe22ce3f58264afd23704cbb63b29b931f7de6c9d949a7ecfc").unwrap(), Curve::Secp521r1).unwrap();
        for verify in [verify, verify_reference] {
            assert_eq!(verify(&key, &Sha256::digest(b"sample"), &signature), Check::Fits);
            assert_eq!(verify(&key, &Sha256::digest(b"test"), &signature), Check::DoesNotFit);
        }
    }

    #[test]
    fn integers_outside_the_order_are_out_of_range_on_every_curve() {
        for curve in Curve::SUPPORTED {
            let meter = SigningMeter::from_seed(curve, b"range").unwrap();
            let digest = Sha256::digest(b"block");
            let good = read_der(&meter.sign(b"block"), curve).unwrap();
            let order = order_of(curve);
            let r_plus_n = sum(good.r(), &order);
            let s_plus_n = sum(good.s(), &order);
            let zero: &[u8] = &[];
            for (r, s) in [
                (zero, good.s()),
                (good.r(), zero),
                (zero, zero),
                (&order[..], good.s()),
                (good.r(), &order),
                (&r_plus_n, good.s()),
                (good.r(), &s_plus_n),
            ] {
                let bad = Signature::new(r, s, SignatureForm::Der);
                // Written and read again, because that is how it would arrive.
                let bad = read_der(&bad.to_der(), curve).unwrap();
                for verify in [verify, verify_reference] {
                    assert_eq!(verify(meter.public_key(), &digest, &bad), Check::OutOfRange, "{curve}");
                }
            }
        }
    }

    #[test]
    fn the_other_s_fits_as_well() {
        for curve in Curve::SUPPORTED {
            let meter = SigningMeter::from_seed(curve, b"negated").unwrap();
            for block in [&b"one"[..], b"two", b"three", b"four"] {
                let digest = Sha256::digest(block);
                let good = read_der(&meter.sign(block), curve).unwrap();
                let other = Signature::new(good.r(), &difference(&order_of(curve), good.s()), SignatureForm::Der);
                assert_ne!(good, other);
                for verify in [verify, verify_reference] {
                    assert_eq!(verify(meter.public_key(), &digest, &other), Check::Fits, "{curve}");
                }
            }
        }
    }

    #[test]
    fn a_curve_that_is_only_read_gets_no_answer() {
        // The base point of SEC 2, 2.5.1.
        let key = PublicKey::read("04a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c7e089fed7fba344282cafbd6f7e319f7c0b0bd59e2ca4bdb556d61a5", Some(Curve::Secp224k1)).unwrap();
        let signature = read_raw(&[1; 58], Curve::Secp224k1).unwrap();
        assert_eq!(verify(&key, &[0; 32], &signature), Check::Unsupported);
    }

    #[test]
    fn the_two_deviations_of_meters_are_read_as_unsigned_and_nothing_else_is() {
        let curve = Curve::Secp192r1;
        let form = |der: &[u8]| read_der(der, curve).map(|signature| signature.form());
        let sequence = |r: &[u8], s: &[u8]| {
            der::element(
                der::SEQUENCE,
                &[der::element(der::INTEGER, r), der::element(der::INTEGER, s)].concat(),
            )
        };
        let low = [0x7d; 24];
        let high = [0xe1; 24];
        let padded_high = [&[0][..], &high].concat();
        let fixed_width = [&[0][..], &[0x7d; 23]].concat();

        assert_eq!(form(&sequence(&low, &padded_high)), Ok(SignatureForm::Der));
        assert_eq!(form(&sequence(&fixed_width, &low)), Ok(SignatureForm::PaddedDer));
        assert_eq!(
            form(&sequence(&low, &[&[0][..], &low].concat())),
            Ok(SignatureForm::PaddedDer)
        );
        assert_eq!(form(&sequence(&low, &high)), Ok(SignatureForm::NegativeDer));
        assert_eq!(read_der(&sequence(&high, &low), curve).unwrap().r(), high);

        let genuine = sequence(&low, &low);
        assert_eq!(form(&[&genuine[..], &[0]].concat()), Err(SignatureError::NotASequence));
        assert_eq!(form(&genuine[..genuine.len() - 1]), Err(SignatureError::NotASequence));
        let mut other_tag = genuine.clone();
        other_tag[0] = 0x31;
        assert_eq!(form(&other_tag), Err(SignatureError::NotASequence));
        let long_form = [&[0x30, 0x81][..], &genuine[1..]].concat();
        assert_eq!(form(&long_form), Err(SignatureError::NotASequence));
        let third = der::element(der::SEQUENCE, &[&genuine[2..], &[2, 1, 1][..]].concat());
        assert_eq!(form(&third), Err(SignatureError::NotTwoIntegers));
        assert_eq!(form(&sequence(&low, &[])), Err(SignatureError::Integer));
        assert_eq!(form(&sequence(&low, &[0xe1; 25])), Err(SignatureError::Integer));
        assert_eq!(
            form(&sequence(&low, &[&[0, 0][..], &low].concat())),
            Err(SignatureError::Integer)
        );
        assert_eq!(form(&[0x30; MAX_SIGNATURE_BYTES + 1]), Err(SignatureError::TooLong));
        assert_eq!(form(&[]), Err(SignatureError::Empty));
    }

    #[test]
    fn a_bare_signature_is_taken_for_one_only_at_its_length() {
        let meter = SigningMeter::from_seed(Curve::Secp384r1, b"raw").unwrap();
        let raw = meter.sign_raw(b"block");
        let digest = Sha256::digest(b"block");
        let signature = read(&raw, Curve::Secp384r1).unwrap();
        assert_eq!(signature.form(), SignatureForm::Raw);
        assert_eq!(verify(meter.public_key(), &digest, &signature), Check::Fits);
        assert_eq!(
            read_raw(&raw, Curve::Secp256r1),
            Err(SignatureError::Length {
                expected: 64,
                found: 96
            })
        );
        assert!(read(&raw, Curve::Secp256r1).is_err());
    }

    fn any_supported_curve() -> impl Strategy<Value = Curve> {
        proptest::sample::select(&Curve::SUPPORTED[..])
    }

    fn flip(bytes: &mut [u8], bit: usize) {
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_meter_signs_fits_and_both_implementations_say_so(
            curve in any_supported_curve(), seed in any::<[u8; 8]>(), block in proptest::collection::vec(any::<u8>(), 0..300)
        ) {
            let meter = SigningMeter::from_seed(curve, &seed).unwrap();
            let digest = Sha256::digest(&block);
            let der = read_der(&meter.sign(&block), curve).unwrap();
            let raw = read_raw(&meter.sign_raw(&block), curve).unwrap();
            prop_assert_eq!((der.r(), der.s()), (raw.r(), raw.s()));
            prop_assert_eq!(der.form(), SignatureForm::Der);
            prop_assert_eq!(verify(meter.public_key(), &digest, &der), Check::Fits);
            prop_assert_eq!(verify_reference(meter.public_key(), &digest, &der), Check::Fits);
        }

        // FIPS 186-5, 6.4.2: bits of the digest behind the order's length take no part, so on 192 bits the last 64 of SHA-256
        // may change. No other flipped bit fits.
        #[test]
        fn a_flipped_bit_of_the_digest_fits_only_where_the_curve_cannot_see_it(
            curve in any_supported_curve(), seed in any::<[u8; 8]>(), bit in 0usize..256
        ) {
            let meter = SigningMeter::from_seed(curve, &seed).unwrap();
            let signature = read_der(&meter.sign(b"block"), curve).unwrap();
            let mut digest = <[u8; 32]>::from(Sha256::digest(b"block"));
            flip(&mut digest, bit);
            let expected = if bit < curve.order_bits() { Check::DoesNotFit } else { Check::Fits };
            prop_assert_eq!(verify(meter.public_key(), &digest, &signature), expected);
            prop_assert_eq!(verify_reference(meter.public_key(), &digest, &signature), expected);
        }

        #[test]
        fn a_flipped_bit_of_the_signature_never_fits(
            curve in any_supported_curve(), seed in any::<[u8; 8]>(), bit in any::<proptest::sample::Index>()
        ) {
            let meter = SigningMeter::from_seed(curve, &seed).unwrap();
            let digest = Sha256::digest(b"block");
            let mut raw = meter.sign_raw(b"block");
            let bit = bit.index(raw.len() * 8);
            flip(&mut raw, bit);
            let signature = read_raw(&raw, curve).unwrap();
            let check = verify(meter.public_key(), &digest, &signature);
            prop_assert!(matches!(check, Check::DoesNotFit | Check::OutOfRange));
            prop_assert_eq!(verify_reference(meter.public_key(), &digest, &signature), check);
        }

        #[test]
        fn both_implementations_agree_about_any_two_integers_and_any_digest(
            curve in any_supported_curve(), seed in any::<[u8; 8]>(),
            r in proptest::collection::vec(any::<u8>(), 0..50), s in proptest::collection::vec(any::<u8>(), 0..50),
            digest in proptest::collection::vec(any::<u8>(), 0..70)
        ) {
            let meter = SigningMeter::from_seed(curve, &seed).unwrap();
            let signature = Signature::new(&r, &s, SignatureForm::Der);
            prop_assert_eq!(
                verify(meter.public_key(), &digest, &signature),
                verify_reference(meter.public_key(), &digest, &signature)
            );
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), curve in 0usize..9) {
            let curve = Curve::ALL[curve];
            let _ = read_der(&bytes, curve);
            let _ = read_raw(&bytes, curve);
            let _ = read(&bytes, curve);
        }

        #[test]
        fn what_was_read_is_written_back_the_same(curve in any_supported_curve(), seed in any::<[u8; 8]>()) {
            let der = SigningMeter::from_seed(curve, &seed).unwrap().sign(b"block");
            prop_assert_eq!(read_der(&der, curve).unwrap().to_der(), der);
        }
    }

    fn order_of(curve: Curve) -> Vec<u8> {
        fn octets<C: elliptic_curve::Curve>() -> Vec<u8> {
            let hexadecimal = format!("{:x}", *C::ORDER.as_ref());
            der::without_leading_zeros(&hex::decode(hexadecimal).unwrap()).to_vec()
        }
        use crate::metering::curves::{Secp192k1, Secp192r1};
        match curve {
            Curve::Secp192k1 => octets::<Secp192k1>(),
            Curve::Secp192r1 => octets::<Secp192r1>(),
            Curve::Secp256k1 => octets::<k256::Secp256k1>(),
            Curve::Secp256r1 => octets::<p256::NistP256>(),
            Curve::BrainpoolP256r1 => octets::<bp256::BrainpoolP256r1>(),
            Curve::Secp384r1 => octets::<p384::NistP384>(),
            Curve::BrainpoolP384r1 => octets::<bp384::BrainpoolP384r1>(),
            Curve::Secp521r1 => octets::<p521::NistP521>(),
            Curve::Secp224k1 => unreachable!("not supported"),
        }
    }

    fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut carry = 0u16;
        let mut digits: Vec<u8> = digits(a, b)
            .map(|(a, b)| {
                let sum = u16::from(a) + u16::from(b) + carry;
                carry = sum >> 8;
                sum as u8
            })
            .collect();
        digits.push(carry as u8);
        digits.reverse();
        der::without_leading_zeros(&digits).to_vec()
    }

    fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut borrow = 0i16;
        let mut digits: Vec<u8> = digits(a, b)
            .map(|(a, b)| {
                let difference = i16::from(a) - i16::from(b) - borrow;
                borrow = i16::from(difference < 0);
                difference as u8
            })
            .collect();
        digits.reverse();
        der::without_leading_zeros(&digits).to_vec()
    }

    /// Both numbers from the lowest octet up, the shorter one filled with zeros.
    fn digits<'a>(a: &'a [u8], b: &'a [u8]) -> impl Iterator<Item = (u8, u8)> + 'a {
        let at = |number: &[u8], place: usize| number.iter().rev().nth(place).copied().unwrap_or(0);
        (0..a.len().max(b.len())).map(move |place| (at(a, place), at(b, place)))
    }
}
