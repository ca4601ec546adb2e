//! The EDL40 family: four ways in which the fields of one signed block travel (signed-metering-formats.md 7 to 11).
//!
//! EDL_40_P, EDL_40_SIG and Mennekes sign the same 320 octets ([`block`]), ISA-EDL-40-P signs 320 others ([`isa`]). SML ([`sml`]) and Mennekes
//! transmit fields, from which the block is put together exactly as the meter did; EDL_40_SIG transmits the block, which is hashed as it came.
//! All of them sign wall clock or UTC, never an offset; what is not in the block is not signed, and no verdict rests on it.
//!
//! Start with [`block::Block`], then [`edl_40_p`].

pub mod block;
pub mod edl_40_p;
pub mod edl_40_sig;
pub mod isa;
pub mod mennekes;
pub mod sml;

use super::FormatName;
use super::signed_record::{BlockSignature, Malformed, Unusable};
use crate::metering::key::Curve;
use crate::metering::signature;

/// Octets of the log counter behind a signature.
const LOG: usize = 2;

/// A transmitted signature: r‖s, perhaps with the log counter behind it. Its length tells the curve.
struct LogSignature {
    block: Result<BlockSignature, Unusable>,
    /// The log counter; `None` if the signature came without it.
    log: Option<[u8; 2]>,
}

impl LogSignature {
    /// 48 or 50 octets are of secp192r1, 64 or 66 of secp256r1 (4).
    fn read(octets: &[u8]) -> LogSignature {
        let curve = match octets.len() {
            48 | 50 => Curve::Secp192r1,
            64 | 66 => Curve::Secp256r1,
            _ => {
                return LogSignature {
                    block: Err(Unusable::malformed(
                        "the signature has none of the lengths 48, 50, 64 and 66",
                    )),
                    log: None,
                };
            }
        };
        let (numbers, log) = octets.split_at(2 * curve.scalar_bytes());
        LogSignature {
            block: signature::read_raw(numbers, curve)
                .map(|signature| BlockSignature { curve, signature })
                .map_err(Unusable::malformed),
            log: log.try_into().ok(),
        }
    }

    /// Whether it is one of the newer meters (EMOC), which sign on secp256r1 and use the end of the block.
    fn is_of_emoc(&self) -> bool {
        self.block.as_ref().is_ok_and(|block| block.curve == Curve::Secp256r1)
    }
}

/// The fields of a block one behind the other, and zeros behind the last.
fn padded<const OCTETS: usize>(fields: &[&[u8]]) -> [u8; OCTETS] {
    let mut block = [0; OCTETS];
    block
        .iter_mut()
        .zip(fields.concat())
        .for_each(|(octet, field)| *octet = field);
    block
}

/// A readable name of what is wrong, for one of these formats.
fn malformed(format: FormatName) -> impl Fn(&str) -> Malformed + Copy {
    move |message| Malformed::new(format, message)
}
