//! secp224k1 and secp521r1: keys we can tell from nonsense, signatures we cannot judge.
//!
//! ChargePoint signs on secp224k1, whose order is one bit longer than its field and so fits no curve library at hand; secp521r1
//! is in no format's table. Their keys are still worth validating, so that "we cannot verify this curve" is never said about
//! a text that is no key at all. That takes the field and the equation, not the group.

use primefield::PrimeFieldExt;

/// The point as `04‖X‖Y` if these are the octets of a point of secp224k1.
pub(super) fn secp224k1(sec1: &[u8]) -> Option<Box<[u8]>> {
    point(secp224k1::A, secp224k1::B, sec1)
}

/// The point as `04‖X‖Y` if these are the octets of a point of secp521r1.
pub(super) fn secp521r1(sec1: &[u8]) -> Option<Box<[u8]>> {
    point(secp521r1::A, secp521r1::B, sec1)
}

/// Decodes a point of y² = x³ + ax + b (SEC 1, 2.3.4).
fn point<F: PrimeFieldExt>(a: F, b: F, sec1: &[u8]) -> Option<Box<[u8]>> {
    let size = F::Repr::default().as_ref().len();
    let (tag, coordinates) = sec1.split_first()?;
    let x = coordinate::<F>(coordinates.get(..size)?)?;
    let y_squared = (x.square() + a) * x + b;
    let y = match tag {
        0x04 => coordinate::<F>(coordinates.get(size..)?)?,
        0x02 | 0x03 => {
            let root = y_squared.sqrt().into_option()?;
            let has_the_other_sign = bool::from(root.is_odd()) != (*tag == 0x03);
            if has_the_other_sign { -root } else { root }
        }
        _ => return None,
    };
    if y.square() != y_squared {
        return None;
    }
    let mut uncompressed = Vec::with_capacity(1 + 2 * size);
    uncompressed.push(0x04);
    uncompressed.extend_from_slice(x.to_repr().as_ref());
    uncompressed.extend_from_slice(y.to_repr().as_ref());
    Some(uncompressed.into())
}

/// A coordinate, if it has the right length and is below p.
fn coordinate<F: PrimeFieldExt>(octets: &[u8]) -> Option<F> {
    let mut repr = F::Repr::default();
    if repr.as_ref().len() != octets.len() {
        return None;
    }
    repr.as_mut().copy_from_slice(octets);
    F::from_repr(repr).into_option()
}

mod secp224k1 {
    //! SEC 2, 2.5.1.
    use elliptic_curve::ff::PrimeField;
    use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};
    use primefield::bigint::U256;

    primefield::monty_field_params! {
        name: FieldParams,
        modulus: "00000000fffffffffffffffffffffffffffffffffffffffffffffffeffffe56d",
        uint: U256,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 2,
        doc: "p = 2^224 - 2^32 - 6803"
    }
    primefield::monty_field_element! { name: FieldElement, params: FieldParams, uint: U256, doc: "mod p" }
    primefield::monty_field_arithmetic! { name: FieldElement, params: FieldParams, uint: U256 }

    pub(super) const A: FieldElement = FieldElement::ZERO;
    pub(super) const B: FieldElement = FieldElement::from_u64(5);
}

mod secp521r1 {
    //! SEC 2, 2.9.1; FIPS 186-4, D.1.2.5.
    use elliptic_curve::ff::PrimeField;
    use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};
    use primefield::bigint::U576;

    primefield::monty_field_params! {
        name: FieldParams,
        modulus: "00000000000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        uint: U576,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 3,
        doc: "p = 2^521 - 1"
    }
    primefield::monty_field_element! { name: FieldElement, params: FieldParams, uint: U576, doc: "mod p" }
    primefield::monty_field_arithmetic! { name: FieldElement, params: FieldParams, uint: U576 }

    pub(super) const A: FieldElement = FieldElement::from_u64(3).neg();
    pub(super) const B: FieldElement = FieldElement::from_hex_vartime(
        "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    // The base points of SEC 2, which lie on their curves whatever we believe.
    const SECP224K1_G: &str = "04a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c7e089fed7fba344282cafbd6f7e319f7c0b0bd59e2ca4bdb556d61a5";
    const SECP521R1_G: &str = "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650";

    type Decoder = fn(&[u8]) -> Option<Box<[u8]>>;

    #[test]
    fn a_base_point_is_read_whole_and_compressed_and_refused_when_touched() {
        for (hexadecimal, decode) in [
            (SECP224K1_G, secp224k1 as Decoder),
            (SECP521R1_G, secp521r1),
        ] {
            let mut sec1 = hex::decode(hexadecimal).expect("a constant");
            assert_eq!(decode(&sec1).as_deref(), Some(&sec1[..]));

            let size = sec1.len() / 2;
            let sign = 2 + (sec1[2 * size] & 1);
            let compressed = [&[sign], &sec1[1..=size]].concat();
            assert_eq!(decode(&compressed).as_deref(), Some(&sec1[..]));

            sec1[2 * size] ^= 1;
            assert_eq!(decode(&sec1), None);
            sec1[1..].fill(0);
            assert_eq!(decode(&sec1), None, "zero is not a point");
            sec1[1..].fill(0xff);
            assert_eq!(decode(&sec1), None, "coordinates are below p");
        }
    }
}
