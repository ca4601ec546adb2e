#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| truewatt_fuzz::wire::headers(data));
