#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| truewatt_fuzz::messages::shown_session(data));
