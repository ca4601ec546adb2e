//! Whatever is laid over whatever, the result is JSON that can be read again, and laying it over twice is laying it over once.
//!
//! Document and patch are the two sides of the first zero octet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use truewatt::ocpi::{json, patch};

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
    let (document, update) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());

    if let Ok(applied) = patch::apply(document, update) {
        assert_eq!(json::check_syntax(&applied), Ok(()));
        assert_eq!(patch::apply(&applied, update).as_ref(), Ok(&applied));
        assert_eq!(patch::apply(&applied, b"{}").as_ref(), Ok(&applied));
    }
    if let Ok(put) = patch::replace_element(document, "a", "b", "c", update) {
        assert_eq!(json::check_syntax(&put.document), Ok(()));
        assert_eq!(patch::element(document, "a", "b", "c").is_some(), put.existed);
    }
    let grown = [
        patch::append_elements(document, "a", update).ok(),
        patch::apply_appending(document, update, "a").ok(),
        patch::patch_element(document, "a", "b", "c", update).ok().flatten(),
    ];
    for result in grown.into_iter().flatten() {
        assert_eq!(json::check_syntax(&result), Ok(()));
    }
});
