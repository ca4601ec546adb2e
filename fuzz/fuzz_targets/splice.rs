//! Whatever a body or a query is, the text that was put in reads back, and no other octet moved.
//!
//! The member and the parameter are called `u`; body or query and the new text are the two sides of the first zero octet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use truewatt::ocpi::splice::{json_string, query_parameter, replace_parameter, replace_range, string_member};

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
    let (body, new) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());
    let new = String::from_utf8_lossy(new);

    if let Ok(Some(found)) = string_member(body, "u") {
        let spliced = replace_range(body, &found.range, &json_string(&new));
        assert!(spliced.starts_with(&body[..found.range.start]));
        assert!(spliced.ends_with(&body[found.range.end..]));
        let again = string_member(&spliced, "u")
            .expect("still a body")
            .expect("still there");
        assert_eq!(again.text, new);
    }
    let Ok(query) = std::str::from_utf8(body) else { return };
    if let Ok(Some(found)) = query_parameter(query, "u") {
        let replaced = replace_parameter(query, &found.range, &new);
        assert!(replaced.starts_with(&query[..found.range.start]));
        assert!(replaced.ends_with(&query[found.range.end..]));
        let again = query_parameter(&replaced, "u")
            .expect("still a query")
            .expect("still there");
        assert_eq!(again.decoded, new);
    }
});
