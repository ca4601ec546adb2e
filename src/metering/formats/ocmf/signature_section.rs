//! The second section: which algorithm, which encoding, which signature. None of it is signed (section 19), so it may choose among what the key
//! allows and nothing else.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::metering::deviation::Deviation;
use crate::metering::json::Value;
use crate::metering::key::Curve;
use crate::metering::signature::{self, Signature, SignatureForm};

/// Used when `SA` is absent (5.2, since version 0.4).
const DEFAULT_ALGORITHM: &str = "ECDSA-secp256r1-SHA256";

/// What the section says, as far as it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureSection {
    /// The curve that `SA` names. Every method of OCMF's table hashes with SHA-256.
    pub curve: Curve,
    /// The signature, not yet held against anything.
    pub signature: Signature,
}

/// Why the section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// `SD` is missing, or not the signature it claims to be: the record is wrong.
    #[error("{0}")]
    Malformed(String),
    /// Algorithm or encoding unknown here: nothing can be said about the record.
    #[error("the {0} is not one that can be checked")]
    Unsupported(&'static str),
}

impl SignatureSection {
    /// Reads the section. `SE` decides how `SD` is read; it is never guessed.
    pub fn read(section: Value<'_>, deviations: &mut Vec<Deviation>) -> Result<SignatureSection, SignatureProblem> {
        let section = section.object();
        let text = |name| section.get(name).and_then(Value::text);
        let malformed = |sentence: &str| SignatureProblem::Malformed(sentence.to_owned());

        let data = text("SD").ok_or_else(|| malformed("the signature (SD) is missing"))?;
        if text("SM").is_some_and(|form| form.as_ref() != "application/x-der") {
            deviations.push(Deviation::SignatureTypeUnknown);
        }
        let bytes = match text("SE").as_deref().unwrap_or("hex") {
            "hex" => hex::decode(data.as_bytes()).map_err(|_| malformed("the signature (SD) is not hex"))?,
            "base64" => BASE64_STANDARD
                .decode(data.as_bytes())
                .map_err(|_| malformed("the signature (SD) is not base64"))?,
            _ => return Err(SignatureProblem::Unsupported("encoding (SE)")),
        };
        let curve = curve(section.get("SA"), deviations).ok_or(SignatureProblem::Unsupported("algorithm (SA)"))?;
        let signature = signature::read(&bytes, curve).map_err(|error| malformed(&error.to_string()))?;
        match signature.form() {
            SignatureForm::Der => {}
            SignatureForm::PaddedDer => deviations.push(Deviation::PaddedSignature),
            SignatureForm::NegativeDer => deviations.push(Deviation::NegativeSignature),
            SignatureForm::Raw => deviations.push(Deviation::BareSignature),
        }
        Ok(SignatureSection { curve, signature })
    }
}

/// The curve of `ECDSA-<curve>-SHA256`. The table spells `brainpool256r1`; the usual name of the curve and other letter case are forgiven.
fn curve(algorithm: Option<Value<'_>>, deviations: &mut Vec<Deviation>) -> Option<Curve> {
    let algorithm = match algorithm {
        None => DEFAULT_ALGORITHM.into(),
        Some(value) => value.text()?,
    };
    let mut parts = algorithm.trim().split('-');
    let (family, name, hash) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !family.eq_ignore_ascii_case("ECDSA") || !hash.eq_ignore_ascii_case("SHA256") {
        return None;
    }
    let curve = Curve::from_name(name)?;
    if algorithm != format!("ECDSA-{}-SHA256", curve.ocmf_name()) {
        deviations.push(Deviation::AlgorithmSpelling);
    }
    Some(curve)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::json;

    fn read(section: &str) -> Result<Curve, SignatureProblem> {
        SignatureSection::read(json::read(section).unwrap(), &mut Vec::new()).map(|section| section.curve)
    }

    const SIGNATURE: &str = "3006020101020101";

    #[test]
    fn without_an_algorithm_it_is_secp256r1() {
        assert_eq!(read(&format!(r#"{{"SD":"{SIGNATURE}"}}"#)), Ok(Curve::Secp256r1));
        assert_eq!(
            read(&format!(
                r#"{{"SA":"ecdsa-brainpoolP384r1-sha256","SD":"{SIGNATURE}"}}"#
            )),
            Ok(Curve::BrainpoolP384r1)
        );
    }

    #[test]
    fn an_unknown_algorithm_is_not_the_fault_of_the_record() {
        for algorithm in [
            "\"RSA-2048-SHA256\"",
            "\"ECDSA-secp999r1-SHA256\"",
            "\"ECDSA-secp384r1-SHA384\"",
            "\"\"",
            "7",
            "\"EdDSA-Ed25519\"",
            "\"ECDSA-secp256r1-SHA256-X\"",
        ] {
            let section = format!(r#"{{"SA":{algorithm},"SD":"{SIGNATURE}"}}"#);
            assert!(
                matches!(read(&section), Err(SignatureProblem::Unsupported(_))),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn the_encoding_is_not_guessed() {
        assert!(
            read(&format!(
                r#"{{"SE":"base64","SD":"{}"}}"#,
                BASE64_STANDARD.encode(hex::decode(SIGNATURE).unwrap())
            ))
            .is_ok()
        );
        for section in [
            r#"{"SE":"base64","SD":"3006020101020101"}"#,
            r#"{"SD":"MAYCAQECAQE="}"#,
            r#"{"SD":"30 06"}"#,
            r#"{"SD":null}"#,
            "{}",
            r#"{"SD":""}"#,
        ] {
            assert!(
                matches!(read(section), Err(SignatureProblem::Malformed(_))),
                "{section}"
            );
        }
    }
}
