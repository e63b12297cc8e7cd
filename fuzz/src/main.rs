//! Runs the target that `CHATPUSH_FUZZ_TARGET` names under libFuzzer, which parses the arguments.

#![no_main]

use std::sync::OnceLock;

use chatpush_fuzz::target::{self, Run};

static TARGET: OnceLock<Run> = OnceLock::new();

fn chosen() -> Run {
    let name = std::env::var("CHATPUSH_FUZZ_TARGET").unwrap_or_default();
    target::named(&name).unwrap_or_else(|| {
        eprintln!("CHATPUSH_FUZZ_TARGET={name:?} names no target: ./dev fuzz --list");
        std::process::exit(64)
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.get_or_init(chosen)(data));
