//! secp192k1 (SEC 2, 2.4.1): y² = x³ + 3 over a 192-bit field. No crate has it; meters do.
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

const ORDER_HEX: &str = "fffffffffffffffffffffffe26f2fc170f69466a74defd8d";
const ORDER: Odd<U192> = Odd::<U192>::from_be_hex(ORDER_HEX);

/// The curve, as a type; public only as far as this private module goes, because a macro wants it so.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Secp192k1;

impl PrimeCurveParams for Secp192k1 {
    type PointArithmetic = point_arithmetic::EquationAIsZero;
    type Backend = mul_backend::VariableOnly;

    const EQUATION_A: FieldElement = FieldElement::ZERO;
    const EQUATION_B: FieldElement = FieldElement::from_u64(3);
    const GENERATOR: (FieldElement, FieldElement) = (
        FieldElement::from_hex_vartime("db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d"),
        FieldElement::from_hex_vartime("9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d"),
    );
}

impl ecdsa::EcdsaCurve for Secp192k1 {
    const NORMALIZE_S: bool = false;
}

impl elliptic_curve::Curve for Secp192k1 {
    type FieldBytesSize = U24;
    type Uint = U192;
    const ORDER: Odd<U192> = ORDER;
}

impl elliptic_curve::PrimeCurve for Secp192k1 {}

impl elliptic_curve::point::PointCompression for Secp192k1 {
    const COMPRESS_POINTS: bool = false;
}

impl CurveArithmetic for Secp192k1 {
    type AffinePoint = primeorder::AffinePoint<Secp192k1>;
    type ProjectivePoint = primeorder::ProjectivePoint<Secp192k1>;
    type Scalar = Scalar;
}

impl FieldArithmetic for Secp192k1 {
    type FieldElement = FieldElement;
}

impl PrimeCurveArithmetic for Secp192k1 {
    type CurveGroup = primeorder::ProjectivePoint<Secp192k1>;
}

impl BatchInvert for FieldElement {}

elliptic_curve::scalar_impls!(Secp192k1, Scalar);

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
        modulus: "fffffffffffffffffffffffffffffffffffffffeffffee37",
        uint: U192,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 3,
        doc: "p = 2^192 - 2^32 - 4553"
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
        multiplicative_generator: 2,
        doc: "n"
    }
    primefield::monty_field_element! { name: Scalar, params: ScalarParams, uint: U192, doc: "mod n" }
    primefield::monty_field_arithmetic! { name: Scalar, params: ScalarParams, uint: U192 }
    primefield::monty_field_reduce! { name: Scalar, params: ScalarParams, uint: U192, }
    wnaf::impl_wnaf_size_for_scalar!(Scalar);
}
