#![no_main]
#![allow(missing_docs)] // libFuzzer's macro makes a function without.

libfuzzer_sys::fuzz_target!(|input: &[u8]| landfall_fuzz::sealed::check(input));
