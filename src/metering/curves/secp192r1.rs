//! secp192r1, NIST P-192 (SEC 2, 2.4.2; FIPS 186-4, D.1.2.1): retired by NIST in 2013, alive in every Alfen and EDL40 meter.
//!
//! Only the parameters are ours; field, point and signature arithmetic are those of `primefield`, `primeorder` and `ecdsa`.
//! The start-up self-test and the tests hold them against signatures made by OpenSSL.

use elliptic_curve::bigint::{Odd, U192};
use elliptic_curve::consts::U24;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::ops::BatchInvert;
use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
use elliptic_curve::subtle::{Choice, ConstantTimeGreater};
use elliptic_curve::{CurveArithmetic, PrimeCurveArithmetic};
use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic};

use field::FieldElement;
use scalar::Scalar;

const ORDER_HEX: &str = "ffffffffffffffffffffffff99def836146bc9b1b4d22831";
const ORDER: Odd<U192> = Odd::<U192>::from_be_hex(ORDER_HEX);

/// The curve, as a type; public only as far as this private module goes, because a macro wants it so.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Secp192r1;

impl PrimeCurveParams for Secp192r1 {
    type PointArithmetic = point_arithmetic::EquationAIsMinusThree;
    type Backend = mul_backend::VariableOnly;

    const EQUATION_A: FieldElement = FieldElement::from_u64(3).neg();
    const EQUATION_B: FieldElement =
        FieldElement::from_hex_vartime("64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1");
    const GENERATOR: (FieldElement, FieldElement) = (
        FieldElement::from_hex_vartime("188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012"),
        FieldElement::from_hex_vartime("07192b95ffc8da78631011ed6b24cdd573f977a11e794811"),
    );
}

impl ecdsa::EcdsaCurve for Secp192r1 {
    const NORMALIZE_S: bool = false;
}

impl elliptic_curve::Curve for Secp192r1 {
    type FieldBytesSize = U24;
    type Uint = U192;
    const ORDER: Odd<U192> = ORDER;
}

impl elliptic_curve::PrimeCurve for Secp192r1 {}

impl elliptic_curve::point::PointCompression for Secp192r1 {
    const COMPRESS_POINTS: bool = false;
}

impl CurveArithmetic for Secp192r1 {
    type AffinePoint = primeorder::AffinePoint<Secp192r1>;
    type ProjectivePoint = primeorder::ProjectivePoint<Secp192r1>;
    type Scalar = Scalar;
}

impl FieldArithmetic for Secp192r1 {
    type FieldElement = FieldElement;
}

impl PrimeCurveArithmetic for Secp192r1 {
    type CurveGroup = primeorder::ProjectivePoint<Secp192r1>;
}

impl BatchInvert for FieldElement {}

elliptic_curve::scalar_impls!(Secp192r1, Scalar);

impl AsRef<Scalar> for Scalar {
    fn as_ref(&self) -> &Scalar {
        self
    }
}

impl FromUintUnchecked for Scalar {
    type Uint = U192;

    fn from_uint_unchecked(uint: U192) -> Self {
        Self::from_uint_unchecked(uint)
    }
}

impl IsHigh for Scalar {
    fn is_high(&self) -> Choice {
        const HALF: U192 = ORDER.as_ref().shr_vartime(1);
        self.to_canonical().ct_gt(&HALF)
    }
}

// Field and scalars live in a module each, because the macro imports a trait by name. The "multiplicative generator" has to be
// a quadratic non-residue for square roots to come out; that is all it is used for here.
mod field {
    use elliptic_curve::bigint::U192;
    use elliptic_curve::ff::PrimeField;
    use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};

    primefield::monty_field_params! {
        name: FieldParams,
        modulus: "fffffffffffffffffffffffffffffffeffffffffffffffff",
        uint: U192,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 11,
        doc: "p = 2^192 - 2^64 - 1"
    }
    primefield::monty_field_element! { name: FieldElement, params: FieldParams, uint: U192, doc: "mod p" }
    primefield::monty_field_arithmetic! { name: FieldElement, params: FieldParams, uint: U192 }
}

mod scalar {
    use super::ORDER_HEX;
    use elliptic_curve::bigint::U192;
    use elliptic_curve::ff::PrimeField;
    use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};
    use primeorder::wnaf;

    primefield::monty_field_params! {
        name: ScalarParams,
        modulus: ORDER_HEX,
        uint: U192,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 3,
        doc: "n"
    }
    primefield::monty_field_element! { name: Scalar, params: ScalarParams, uint: U192, doc: "mod n" }
    primefield::monty_field_arithmetic! { name: Scalar, params: ScalarParams, uint: U192 }
    primefield::monty_field_reduce! { name: Scalar, params: ScalarParams, uint: U192, }
    wnaf::impl_wnaf_size_for_scalar!(Scalar);
}
