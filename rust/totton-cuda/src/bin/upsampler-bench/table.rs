//! The measurements in a table, Markdown as it is printed.

use std::time::Duration;

use totton_dsp::Precision;

use crate::measure::{Job, Measurement};

/// The table.
pub struct Table {
    /// The device's copy bandwidth, bytes a second.
    bandwidth: f64,
    /// That of the board that figures are carried over to.
    carry_to: f64,
    /// Its operations a second in 64 bits.
    carry_to_f64: f64,
}

/// A quantile of sorted times.
fn quantile(times: &[Duration], part: f64) -> Duration {
    times[((times.len() as f64 * part) as usize).min(times.len() - 1)]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Table {
    pub fn new(bandwidth: f64, carry_to: f64, carry_to_f64: f64) -> Self {
        Self { bandwidth, carry_to, carry_to_f64 }
    }

    pub fn head(&self) {
        println!(
            "\n| taps | bits | block | median, ms | p99 | p99.9 | max | p99.9 / median | x real time \
             | on GPU, ms | empty, ms | multiply, ms | GB/s | of copy | plain, ms | plain / ours | carried over, ms | x real time |"
        );
        println!("|{}", " ---: |".repeat(18));
    }

    pub fn line(&self, job: &Job, found: &Measurement) {
        let period = job.block as f64 / f64::from(job.rate);
        let median = quantile(&found.times, 0.5);
        let worst = quantile(&found.times, 0.999);
        let rate = found.multiply_bytes as f64 / found.multiply.as_secs_f64();
        // The same part of the other board's bandwidth; a cache does not count.
        let share = (rate / self.bandwidth).min(1.0);
        let bytes = found.multiply_bytes + found.other_bytes;
        let memory = bytes as f64 / (self.carry_to * share);
        let carried = match job.precision {
            Precision::F32 => memory,
            Precision::F64 => memory.max(found.operations / self.carry_to_f64),
        };
        let plain = found.baseline.map_or(["-".to_owned(), "-".to_owned()], |time| {
            let times = time.as_secs_f64() / median.as_secs_f64();
            [format!("{:.3}", milliseconds(time)), format!("{times:.1}")]
        });
        println!(
            "| {} | {} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} | {:.1} | {:.3} | {:.3} | {:.4} | {:.1} | {:.0} % | {} | {} | {:.2} | {:.1} |",
            job.filter.taps().len(),
            job.precision.bits(),
            job.block,
            milliseconds(median),
            milliseconds(quantile(&found.times, 0.99)),
            milliseconds(worst),
            milliseconds(quantile(&found.times, 1.0)),
            worst.as_secs_f64() / median.as_secs_f64(),
            period / median.as_secs_f64(),
            milliseconds(found.on_device),
            milliseconds(found.empty),
            milliseconds(found.multiply),
            rate * 1e-9,
            rate / self.bandwidth * 100.0,
            plain[0],
            plain[1],
            carried * 1e3,
            period / carried,
        );
    }

    pub fn foot(&self) {
        println!(
            "\nBlocks are timed by the processor, from handing in to having the samples; \"on GPU\" \
             and the multiply kernel by the device. \"Empty\" is a block of which nothing is \
             computed: a launch, its output written, the samples copied by the processor. The \
             multiply kernel's bytes are those of the spectra and sums, each once: more than the \
             copy bandwidth means that they came from a cache. \"Plain\" is one transform over \
             the whole filter at the output rate. \"Carried over\" is arithmetic, not a \
             measurement: the bytes of all steps at the multiply kernel's part of {:.1} GB/s, no \
             cache counted, and in 64 bits all operations at {:.1} GFLOP/s if that takes longer.",
            self.carry_to * 1e-9,
            self.carry_to_f64 * 1e-9
        );
    }
}
