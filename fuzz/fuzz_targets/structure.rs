//! Whatever somebody pushes is held against its table or refused, never a panic; and it stays a document of bounded complaints.
//!
//! The first byte chooses the table, the rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use truewatt::ocpi::json;
use truewatt::ocpi::v2_2_1::heads;
use truewatt::ocpi::v2_2_1::structure::{STRUCTURES, first_error, validate, validate_patch};

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let structure = STRUCTURES[usize::from(*choice) % STRUCTURES.len()];
    for found in [validate(structure, body), validate_patch(structure, body)] {
        // Only an object is validated, and every object is.
        assert_eq!(found.is_ok(), json::top_level(body).is_ok());
        let findings = found.unwrap_or_default();
        assert!(findings.len() <= 200);
        let _ = first_error(&findings);
    }
    let _ = heads::SessionHead::read(body);
    let _ = heads::CommandHead::read(body);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = heads::ResultWord::read(text);
    }
});
