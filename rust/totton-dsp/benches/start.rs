//! What there is beside the steady state: designing a filter, loading it, making
//! the engine ready, its memory, and the cost of changing the filter.
//!
//! CPU time of this process, user and system. `cargo bench -p totton-dsp --bench start
//! [-- 16M]`, where `16M` designs and plays 16 million taps as well.

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use totton_dsp::engine::crossfade::warm_up;
use totton_dsp::{
    CpuEngine, Crossfade, DesignSpec, Engine, Filter, Measurement, Phase, Precision, design,
    design_with_report,
};

/// CPU time of this process in seconds.
fn cpu_time() -> f64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID);
    Duration::from(now.expect("every Linux has this clock")).as_secs_f64()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu_time();
    let done = work();
    (done, cpu_time() - start)
}

/// The most memory that this process has had, in GiB.
fn peak_memory_gib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.expect("every Linux states it") / f64::from(1 << 20)
}

/// CPU seconds of one block: the mean over `blocks` of them, stereo.
fn block_seconds(engine: &mut dyn Engine, blocks: usize) -> f64 {
    let frames = engine.block_frames();
    let input: Vec<f64> = (0..frames).map(|n| (n as f64 * 0.37).sin() * 0.5).collect();
    let mut left = vec![0.0; frames * engine.ratio()];
    let mut right = left.clone();
    let ((), spent) = timed(|| {
        for _ in 0..blocks {
            engine.process(&[&input, &input], &mut [&mut left, &mut right]);
        }
    });
    spent / blocks as f64
}

fn designs(folder: &Path) {
    println!("| Design, 640,000 taps, ratio 16 | CPU, s | save, s |");
    println!("| --- | --- | --- |");
    for phase in [Phase::Linear, Phase::Minimum, Phase::Mixed] {
        let spec = DesignSpec { phase, ..DesignSpec::default() };
        let (filter, spent) = timed(|| design(&spec, &mut |_, _| {}).expect("valid"));
        let file = folder.join(format!("{phase}.filter"));
        let (saved, writing) = timed(|| filter.save(&file));
        saved.expect("the folder is there");
        println!("| {phase} phase | {spent:.2} | {writing:.3} |");
    }
}

fn starts(file: &Path) {
    println!();
    println!(
        "| Stored filter to ready engine, stereo | Block | load, s | make, s | sum, s \
         | spectra, MiB | all state, MiB | state / spectra | bytes a tap |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for precision in [Precision::F32, Precision::F64] {
        for block in [64, 256, 1024, 4096] {
            let (filter, load) = timed(|| Filter::load(file).expect("just saved"));
            let engine = || CpuEngine::new(&filter, 2, block, precision).expect("valid");
            let (engine, make) = timed(engine);
            let (spectra, state) = (engine.filter_bytes() as f64, engine.state_bytes() as f64);
            let mib = f64::from(1 << 20);
            println!(
                "| {} taps, {precision:?} | {block} | {load:.3} | {make:.3} | {:.3} | {:.1} | {:.1} | {:.2} \
                 | {:.1} |",
                filter.taps().len(),
                load + make,
                spectra / mib,
                state / mib,
                state / spectra,
                state / filter.taps().len() as f64,
            );
        }
    }
}

fn changes(file: &Path) {
    let filter = Filter::load(file).expect("just saved");
    println!();
    println!(
        "warm-up of the stored filter: {} input frames to -20 dB, {} to -100 dB, {} to -200 dB, of {}",
        warm_up(&filter, -20.0),
        warm_up(&filter, -100.0),
        warm_up(&filter, -200.0),
        filter.taps().len().div_ceil(filter.ratio()),
    );
    println!();
    println!("| Change of filter, stereo | Block | alone, us | while changing, us | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    for precision in [Precision::F32, Precision::F64] {
        for block in [64, 1024] {
            let engine = || Box::new(CpuEngine::new(&filter, 2, block, precision).expect("valid"));
            let mut fade = Crossfade::new(engine());
            // Half a second, and half of that again in the fade.
            let blocks = 22_050 / block;
            let alone = block_seconds(&mut fade, 4 * blocks);
            fade.switch_to(engine(), 11_025, 1 << 20).expect("ready, and of one shape");
            let both = block_seconds(&mut fade, blocks);
            println!(
                "| {precision:?} | {block} | {:.0} | {:.0} | {:.2} |",
                alone * 1e6,
                both * 1e6,
                both / alone
            );
        }
    }
}

fn long_filters(folder: &Path) {
    println!();
    let taps = 16_000_000;
    let spec = DesignSpec { taps, ..DesignSpec::default() };
    let (designed, designing) = timed(|| design_with_report(&spec, &mut |_, _| {}));
    let (filter, report) = designed.expect("valid");
    let memory = peak_memory_gib();
    let file = folder.join("long.filter");
    filter.save(&file).expect("there is room");
    let (filter, load) = timed(|| Filter::load(&file).expect("just saved"));
    println!(
        "16,000,000 taps, minimum phase: designed in {designing:.1} s and {memory:.1} GiB, loaded in {load:.2} s"
    );
    let figures = Measurement::new(&filter).figures();
    println!(
        "aliasing of the cepstrum {:.1} dB; measured: ripple {:.3e} dB, stopband {:.1} dB, zeros outside {:?}",
        report.cepstrum_aliasing_db.unwrap_or(f64::NAN),
        figures.ripple_db,
        figures.stopband_db.unwrap_or(f64::NAN),
        figures.zeros_outside,
    );
    println!();
    println!("| 16,000,000 taps, stereo | Block | make, s | x real time | state, MiB |");
    println!("| --- | --- | --- | --- | --- |");
    for precision in [Precision::F32, Precision::F64] {
        let block = 1024;
        let (engine, make) = timed(|| CpuEngine::new(&filter, 2, block, precision).expect("valid"));
        let mut engine = engine;
        let longest = engine.partitions().iter().map(|(frames, _)| *frames).max().unwrap_or(block);
        let blocks = 4 * longest / block;
        block_seconds(&mut engine, blocks);
        let seconds = block_seconds(&mut engine, blocks);
        println!(
            "| {precision:?} | {block} | {make:.1} | {:.1} | {:.0} |",
            block as f64 / 44_100.0 / seconds,
            engine.state_bytes() as f64 / f64::from(1 << 20),
        );
    }
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    designs(folder.path());
    let file = folder.path().join(format!("{}.filter", Phase::Minimum));
    starts(&file);
    changes(&file);
    if std::env::args().any(|word| word == "16M") {
        long_filters(folder.path());
    }
}
