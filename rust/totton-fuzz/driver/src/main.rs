//! libFuzzer with the target that the environment variable `TOTTON_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use totton_fuzz::{Target, memory};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("TOTTON_FUZZ_TARGET").unwrap_or_default();
    totton_fuzz::by_name(&name).unwrap_or_else(|| {
        let names: Vec<_> = totton_fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("TOTTON_FUZZ_TARGET is {name:?}; accepted: {}", names.join(", "));
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
