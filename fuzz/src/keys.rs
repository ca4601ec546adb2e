//! Public keys and signatures, in every spelling and none.

use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::signature::{read, verify, verify_reference};

/// Whatever somebody sends as a key or a signature is read or refused; and what was read is one point, whichever way it is written down again.
///
/// The first octet chooses the curve the record would name, the rest is the text, the octets, and a signature to try on it.
pub fn public_key(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let hint = Curve::ALL.get(usize::from(*choice) % (Curve::ALL.len() + 1)).copied();

    let from_text = std::str::from_utf8(data)
        .ok()
        .and_then(|text| PublicKey::read(text, hint).ok());
    let from_octets = PublicKey::from_bytes(data, hint).ok();
    for key in from_text.into_iter().chain(from_octets) {
        let spki = key.to_spki_der();
        assert_eq!(PublicKey::from_bytes(&spki, None).as_ref(), Ok(&key));
        assert_eq!(PublicKey::from_bytes(key.sec1_uncompressed(), None).as_ref(), Ok(&key));

        // Both implementations have one opinion, also of what is no signature at all.
        if let Ok(signature) = read(data.get(..2 * key.curve().scalar_bytes()).unwrap_or(data), key.curve()) {
            assert_eq!(
                verify(&key, &[1; 32], &signature),
                verify_reference(&key, &[1; 32], &signature)
            );
        }
    }
    for curve in Curve::ALL {
        if let Ok(signature) = read(data, curve) {
            let again = read(&signature.to_der(), curve).expect("what we write we read");
            assert_eq!((again.r(), again.s()), (signature.r(), signature.s()));
        }
    }
}
