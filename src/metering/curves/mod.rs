//! The curves the field uses, each with its verifier.
//!
//! Nine are known by name and can be read as keys; the seven of OCMF's table and secp521r1 can be verified. `p256` is the
//! reference for secp256r1 on every build; with the feature `fast-ecdsa` aws-lc-rs answers for the NIST curves from 256 bits on
//! and the reference stays beside it for the self-test and for doubt. The two 192-bit curves are defined here on `primeorder`, because the one
//! crate that has secp192r1 is a release candidate and none has secp192k1.
//!
//! Here a point meets a digest and two integers and the answer is yes or no. Whether it *means* anything is for others: no
//! format, no envelope, no text is known here. The rule everything follows from: a [`Verifier`] exists only for a point that
//! was proven to lie on its curve, and integers are compared with the order before they are used.
//!
//! Start with [`Curve`], then [`Verifier::check`].

#[cfg(feature = "fast-ecdsa")]
mod fast;
mod secp192k1;
mod secp192r1;
mod secp224k1;

use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use ecdsa::signature::hazmat::PrehashVerifier;
use ecdsa::{EcdsaCurve, VerifyingKey};
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize};
use k256::Secp256k1;
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;

pub(crate) use secp192k1::Secp192k1;
pub(crate) use secp192r1::Secp192r1;

use crate::metering::signature::{Check, Signature};

/// A curve that meter keys are found on, in the order of their sizes (signed-metering formats 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Curve {
    /// SEC 2 secp192k1, used by KEBA and others in OCMF.
    Secp192k1,
    /// NIST P-192, the curve of Alfen, EDL40 and Mennekes.
    Secp192r1,
    /// SEC 2 secp224k1, found at ChargePoint. Its order has one bit more than its field. Read, not verified.
    Secp224k1,
    /// SEC 2 secp256k1.
    Secp256k1,
    /// NIST P-256, OCMF's default.
    Secp256r1,
    /// RFC 5639 brainpoolP256r1.
    BrainpoolP256r1,
    /// NIST P-384.
    Secp384r1,
    /// RFC 5639 brainpoolP384r1.
    BrainpoolP384r1,
    /// NIST P-521, in no format's table and seen in the field.
    Secp521r1,
}

/// What there is to know about a curve.
struct Facts {
    name: &'static str,
    ocmf_name: &'static str,
    also: &'static [&'static str],
    oid: &'static str,
    oid_der: &'static [u8],
    field_bytes: usize,
    order_bits: usize,
}

impl Curve {
    /// Every curve, smallest first.
    pub const ALL: [Curve; 9] = [
        Curve::Secp192k1,
        Curve::Secp192r1,
        Curve::Secp224k1,
        Curve::Secp256k1,
        Curve::Secp256r1,
        Curve::BrainpoolP256r1,
        Curve::Secp384r1,
        Curve::BrainpoolP384r1,
        Curve::Secp521r1,
    ];

    /// The seven curves of OCMF's table and secp521r1, those that [`is_supported`](Self::is_supported).
    pub const SUPPORTED: [Curve; 8] = [
        Curve::Secp192k1,
        Curve::Secp192r1,
        Curve::Secp256k1,
        Curve::Secp256r1,
        Curve::BrainpoolP256r1,
        Curve::Secp384r1,
        Curve::BrainpoolP384r1,
        Curve::Secp521r1,
    ];

    /// The usual name: `secp256r1`, `brainpoolP256r1`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The name inside OCMF's `SA`, which drops the `P` of the brainpool curves: `brainpool256r1` (OCMF 1.0, table of SA).
    pub fn ocmf_name(self) -> &'static str {
        self.facts().ocmf_name
    }

    /// The curve of this name, without regard to case: SEC 2 and RFC 5639 names, NIST and X9.62 names, OCMF's.
    pub fn from_name(name: &str) -> Option<Curve> {
        let name = name.trim();
        Self::ALL.into_iter().find(|curve| {
            let facts = curve.facts();
            [facts.name, facts.ocmf_name]
                .iter()
                .chain(facts.also)
                .any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// The object identifier of the named curve, dotted.
    pub fn oid(self) -> &'static str {
        self.facts().oid
    }

    /// The curve behind the content octets of an OBJECT IDENTIFIER.
    pub(crate) fn from_oid_der(content: &[u8]) -> Option<Curve> {
        Self::ALL.into_iter().find(|curve| curve.facts().oid_der == content)
    }

    pub(crate) fn oid_der(self) -> &'static [u8] {
        self.facts().oid_der
    }

    /// How many bytes a coordinate has.
    pub fn field_bytes(self) -> usize {
        self.facts().field_bytes
    }

    /// How many bits the order of the group has; a digest counts only with that many leftmost bits (FIPS 186-5, 6.4.2).
    pub fn order_bits(self) -> usize {
        self.facts().order_bits
    }

    /// How many bytes each half of a bare r‖s signature has.
    pub fn scalar_bytes(self) -> usize {
        self.order_bits().div_ceil(8)
    }

    /// Whether signatures on this curve can be verified. A key on any other curve is read, and no answer is given with it.
    pub fn is_supported(self) -> bool {
        self != Curve::Secp224k1
    }

    fn facts(self) -> &'static Facts {
        match self {
            Curve::Secp192k1 => &Facts {
                name: "secp192k1",
                ocmf_name: "secp192k1",
                also: &[],
                oid: "1.3.132.0.31",
                oid_der: &[0x2b, 0x81, 0x04, 0x00, 0x1f],
                field_bytes: 24,
                order_bits: 192,
            },
            Curve::Secp192r1 => &Facts {
                name: "secp192r1",
                ocmf_name: "secp192r1",
                also: &["prime192v1", "P-192", "NIST P-192", "nistp192"],
                oid: "1.2.840.10045.3.1.1",
                oid_der: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01],
                field_bytes: 24,
                order_bits: 192,
            },
            Curve::Secp224k1 => &Facts {
                name: "secp224k1",
                ocmf_name: "secp224k1",
                also: &[],
                oid: "1.3.132.0.32",
                oid_der: &[0x2b, 0x81, 0x04, 0x00, 0x20],
                field_bytes: 28,
                order_bits: 225,
            },
            Curve::Secp256k1 => &Facts {
                name: "secp256k1",
                ocmf_name: "secp256k1",
                also: &[],
                oid: "1.3.132.0.10",
                oid_der: &[0x2b, 0x81, 0x04, 0x00, 0x0a],
                field_bytes: 32,
                order_bits: 256,
            },
            Curve::Secp256r1 => &Facts {
                name: "secp256r1",
                ocmf_name: "secp256r1",
                also: &["prime256v1", "P-256", "NIST P-256", "nistp256"],
                oid: "1.2.840.10045.3.1.7",
                oid_der: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
                field_bytes: 32,
                order_bits: 256,
            },
            Curve::BrainpoolP256r1 => &Facts {
                name: "brainpoolP256r1",
                ocmf_name: "brainpool256r1",
                also: &[],
                oid: "1.3.36.3.3.2.8.1.1.7",
                oid_der: &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
                field_bytes: 32,
                order_bits: 256,
            },
            Curve::Secp384r1 => &Facts {
                name: "secp384r1",
                ocmf_name: "secp384r1",
                also: &["P-384", "NIST P-384", "nistp384"],
                oid: "1.3.132.0.34",
                oid_der: &[0x2b, 0x81, 0x04, 0x00, 0x22],
                field_bytes: 48,
                order_bits: 384,
            },
            Curve::BrainpoolP384r1 => &Facts {
                name: "brainpoolP384r1",
                ocmf_name: "brainpool384r1",
                also: &[],
                oid: "1.3.36.3.3.2.8.1.1.11",
                oid_der: &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b],
                field_bytes: 48,
                order_bits: 384,
            },
            Curve::Secp521r1 => &Facts {
                name: "secp521r1",
                ocmf_name: "secp521r1",
                also: &["P-521", "NIST P-521", "nistp521"],
                oid: "1.3.132.0.35",
                oid_der: &[0x2b, 0x81, 0x04, 0x00, 0x23],
                field_bytes: 66,
                order_bits: 521,
            },
        }
    }
}

impl std::fmt::Display for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A point proven to lie on its curve, ready to check signatures.
pub(crate) struct Verifier {
    point: Point,
    // Parsed at the first check: a registry holds many keys and uses few of them.
    #[cfg(feature = "fast-ecdsa")]
    fast: std::sync::OnceLock<Option<fast::Key>>,
    uncompressed: Box<[u8]>,
}

enum Point {
    Secp192k1(VerifyingKey<Secp192k1>),
    Secp192r1(VerifyingKey<Secp192r1>),
    Secp256k1(VerifyingKey<Secp256k1>),
    Secp256r1(VerifyingKey<NistP256>),
    BrainpoolP256r1(VerifyingKey<BrainpoolP256r1>),
    Secp384r1(VerifyingKey<NistP384>),
    BrainpoolP384r1(VerifyingKey<BrainpoolP384r1>),
    Secp521r1(VerifyingKey<NistP521>),
    OnlyRead,
}

impl Verifier {
    /// Reads a SEC 1 point (`04‖X‖Y`, `02‖X` or `03‖X`). `None` unless coordinates are below p, the curve equation holds and
    /// the point is not infinity. Every curve here has cofactor 1, so on the curve is in the group.
    pub(crate) fn of_point(curve: Curve, sec1: &[u8]) -> Option<Verifier> {
        let coordinates = sec1.get(1..)?.len();
        match sec1.first()? {
            0x04 if coordinates == 2 * curve.field_bytes() => (),
            0x02 | 0x03 if coordinates == curve.field_bytes() => (),
            _ => return None,
        }
        let (point, uncompressed) = match curve {
            Curve::Secp192k1 => on_curve(sec1, Point::Secp192k1)?,
            Curve::Secp192r1 => on_curve(sec1, Point::Secp192r1)?,
            Curve::Secp256k1 => on_curve(sec1, Point::Secp256k1)?,
            Curve::Secp256r1 => on_curve(sec1, Point::Secp256r1)?,
            Curve::BrainpoolP256r1 => on_curve(sec1, Point::BrainpoolP256r1)?,
            Curve::Secp384r1 => on_curve(sec1, Point::Secp384r1)?,
            Curve::BrainpoolP384r1 => on_curve(sec1, Point::BrainpoolP384r1)?,
            Curve::Secp521r1 => on_curve(sec1, Point::Secp521r1)?,
            Curve::Secp224k1 => (Point::OnlyRead, secp224k1::point(sec1)?),
        };
        Some(Verifier {
            point,
            #[cfg(feature = "fast-ecdsa")]
            fast: std::sync::OnceLock::new(),
            uncompressed,
        })
    }

    /// The point as `04‖X‖Y`.
    pub(crate) fn uncompressed(&self) -> &[u8] {
        &self.uncompressed
    }

    /// Checks with the fastest implementation compiled in.
    pub(crate) fn check(&self, digest: &[u8], signature: &Signature) -> Check {
        #[cfg(feature = "fast-ecdsa")]
        if let Some(check) = self.check_fast(digest, signature) {
            return check;
        }
        self.check_reference(digest, signature)
    }

    /// Checks with RustCrypto on every curve.
    pub(crate) fn check_reference(&self, digest: &[u8], signature: &Signature) -> Check {
        match &self.point {
            Point::Secp192k1(key) => check_with(key, digest, signature),
            Point::Secp192r1(key) => check_with(key, digest, signature),
            Point::Secp256k1(key) => check_with(key, digest, signature),
            Point::Secp256r1(key) => check_with(key, digest, signature),
            Point::BrainpoolP256r1(key) => check_with(key, digest, signature),
            Point::Secp384r1(key) => check_with(key, digest, signature),
            Point::BrainpoolP384r1(key) => check_with(key, digest, signature),
            Point::Secp521r1(key) => check_with(key, digest, signature),
            Point::OnlyRead => Check::Unsupported,
        }
    }

    /// Checks with aws-lc-rs, or `None` where it has no answer: another curve, or a digest that is not 32 bytes long.
    #[cfg(feature = "fast-ecdsa")]
    fn check_fast(&self, digest: &[u8], signature: &Signature) -> Option<Check> {
        let (algorithm, in_range) = match &self.point {
            Point::Secp256r1(_) => (fast::SECP256R1, in_range::<NistP256>(signature).is_some()),
            Point::Secp384r1(_) => (fast::SECP384R1, in_range::<NistP384>(signature).is_some()),
            Point::Secp521r1(_) => (fast::SECP521R1, in_range::<NistP521>(signature).is_some()),
            _ => return None,
        };
        let digest = digest.try_into().ok()?;
        if !in_range {
            return Some(Check::OutOfRange);
        }
        self.fast
            .get_or_init(|| fast::Key::of_point(algorithm, &self.uncompressed))
            .as_ref()?
            .check(digest, signature)
    }
}

fn on_curve<C>(sec1: &[u8], wrap: impl FnOnce(VerifyingKey<C>) -> Point) -> Option<(Point, Box<[u8]>)>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = VerifyingKey::<C>::from_sec1_bytes(sec1).ok()?;
    let uncompressed = key.to_sec1_point(false).as_bytes().into();
    Some((wrap(key), uncompressed))
}

fn check_with<C>(key: &VerifyingKey<C>, digest: &[u8], signature: &Signature) -> Check
where
    C: EcdsaCurve + CurveArithmetic,
{
    let Some(signature) = in_range::<C>(signature) else {
        return Check::OutOfRange;
    };
    // k256 refuses a high s as a precaution of another trade. Meters do not normalise, and (r, n-s) holds whenever (r, s)
    // does (signed-metering formats 4).
    let signature = if C::NORMALIZE_S {
        signature.normalize_s()
    } else {
        signature
    };
    match key.verify_prehash(digest, &signature) {
        Ok(()) => Check::Fits,
        Err(_) => Check::DoesNotFit,
    }
}

/// The two integers as this curve's scalars, if 1 ≤ r, s < n.
fn in_range<C: EcdsaCurve>(signature: &Signature) -> Option<ecdsa::Signature<C>> {
    let r = scalar_octets::<C>(signature.r())?;
    let s = scalar_octets::<C>(signature.s())?;
    ecdsa::Signature::from_scalars(r, s).ok()
}

fn scalar_octets<C: EcdsaCurve>(integer: &[u8]) -> Option<FieldBytes<C>> {
    let mut octets = FieldBytes::<C>::default();
    let start = octets.len().checked_sub(integer.len())?;
    octets.get_mut(start..)?.copy_from_slice(integer);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_found_by_each_of_its_names_in_any_letter_case() {
        for curve in Curve::ALL {
            let facts = curve.facts();
            for name in [facts.name, facts.ocmf_name].iter().chain(facts.also) {
                assert_eq!(Curve::from_name(name), Some(curve));
                assert_eq!(Curve::from_name(&name.to_uppercase()), Some(curve));
                assert_eq!(Curve::from_name(&name.to_lowercase()), Some(curve));
            }
            assert_eq!(Curve::from_oid_der(facts.oid_der), Some(curve));
        }
        assert_eq!(Curve::from_name("Ed25519"), None);
        assert_eq!(Curve::from_name(""), None);
    }

    #[test]
    fn the_two_spellings_of_an_object_identifier_agree() {
        for curve in Curve::ALL {
            let mut arcs = curve.oid().split('.').map(|arc| arc.parse::<u32>().unwrap_or_default());
            let (first, second) = (arcs.next().unwrap_or_default(), arcs.next().unwrap_or_default());
            let mut der = vec![(40 * first + second) as u8];
            for arc in arcs {
                if arc >= 1 << 14 {
                    der.push((arc >> 14) as u8 | 0x80);
                }
                if arc >= 1 << 7 {
                    der.push((arc >> 7) as u8 | 0x80);
                }
                der.push(arc as u8 & 0x7f);
            }
            assert_eq!(der, curve.oid_der(), "{curve}");
        }
    }

    #[test]
    fn every_curve_but_secp224k1_is_supported() {
        let supported = Curve::ALL.into_iter().filter(|curve| curve.is_supported());
        assert_eq!(supported.collect::<Vec<_>>(), Curve::SUPPORTED);
        assert!(!Curve::Secp224k1.is_supported());
    }
}
