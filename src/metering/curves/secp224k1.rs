//! secp224k1 (SEC 2, 2.5.1): keys we can tell from nonsense, signatures we cannot judge.
//!
//! Older ChargePoint meters sign on it. Its order is one bit longer than its field and so fits no curve library at hand. Its keys
//! are still worth validating, so that "we cannot verify this curve" is never said about a text that is no key at all. That takes
//! the field and the equation, not the group.

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};
use primefield::bigint::U256;

/// The bytes of a coordinate.
const SIZE: usize = 28;

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

const B: FieldElement = FieldElement::from_u64(5);

/// Decodes a point of y² = x³ + 5 (SEC 1, 2.3.4); `04‖X‖Y` if these are the octets of one.
pub(super) fn point(sec1: &[u8]) -> Option<Box<[u8]>> {
    let (tag, coordinates) = sec1.split_first()?;
    let x = coordinate(coordinates.get(..SIZE)?)?;
    let y_squared = x.square() * x + B;
    let y = match tag {
        0x04 => coordinate(coordinates.get(SIZE..)?)?,
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
    let mut uncompressed = Vec::with_capacity(1 + 2 * SIZE);
    uncompressed.push(0x04);
    uncompressed.extend_from_slice(&x.to_repr());
    uncompressed.extend_from_slice(&y.to_repr());
    Some(uncompressed.into())
}

/// A coordinate, if it has the right length and is below p.
fn coordinate(octets: &[u8]) -> Option<FieldElement> {
    let repr = <FieldElement as PrimeField>::Repr::try_from(octets).ok()?;
    FieldElement::from_repr(repr).into_option()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The base point, which lies on its curve whatever we believe.
    const G: &str = "04a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c7e089fed7fba344282cafbd6f7e319f7c0b0bd59e2ca4bdb556d61a5";

    #[test]
    fn a_base_point_is_read_whole_and_compressed_and_refused_when_touched() {
        let mut sec1 = hex::decode(G).expect("a constant");
        assert_eq!(point(&sec1).as_deref(), Some(&sec1[..]));

        let sign = 2 + (sec1[2 * SIZE] & 1);
        let compressed = [&[sign], &sec1[1..=SIZE]].concat();
        assert_eq!(point(&compressed).as_deref(), Some(&sec1[..]));

        sec1[2 * SIZE] ^= 1;
        assert_eq!(point(&sec1), None);
        sec1[1..].fill(0);
        assert_eq!(point(&sec1), None, "zero is not a point");
        sec1[1..].fill(0xff);
        assert_eq!(point(&sec1), None, "coordinates are below p");
    }
}
