//! What the rest of a program may know of the GPU, without touching the audio thread.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use totton_dsp::engine::{Backend, Report, Watch};

/// Where the engine stands with the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stand {
    /// It is being made or tried again; the CPU renders.
    Preparing,
    /// It hears the input until it has heard as much as the filter is long.
    Joining,
    /// It renders.
    Rendering,
    /// It failed; the CPU renders.
    Failed,
    /// It did not finish a block in time; the CPU renders.
    Late,
}

/// Counters and reasons; the audio thread only counts.
#[derive(Debug)]
pub(crate) struct Health {
    stand: AtomicU8,
    gpu_blocks: AtomicU64,
    cpu_blocks: AtomicU64,
    failures: AtomicU64,
    late: AtomicU64,
    texts: Mutex<Texts>,
}

#[derive(Debug, Default)]
struct Texts {
    device: String,
    failure: String,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stand: AtomicU8::new(Stand::Preparing as u8),
            gpu_blocks: AtomicU64::new(0),
            cpu_blocks: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            late: AtomicU64::new(0),
            texts: Mutex::default(),
        }
    }
}

impl Watch for Health {
    fn report(&self) -> Report {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let late = self.late.load(Relaxed);
        let stand = self.stand();
        let reason = match stand {
            Stand::Rendering => texts.device.clone(),
            Stand::Joining => format!("{} hears the input and then takes over", texts.device),
            Stand::Preparing if texts.failure.is_empty() => "the GPU is being prepared".to_owned(),
            Stand::Preparing | Stand::Failed => texts.failure.clone(),
            Stand::Late => {
                format!(
                    "the GPU did not finish a block in time, {late} times so far; it is tried again"
                )
            }
        };
        Report {
            backend: if stand == Stand::Rendering { Backend::Cuda } else { Backend::Cpu },
            reason,
            gpu_blocks: self.gpu_blocks.load(Relaxed),
            cpu_blocks: self.cpu_blocks.load(Relaxed),
            gpu_faults: self.failures.load(Relaxed) + late,
        }
    }
}

impl Health {
    fn stand(&self) -> Stand {
        match self.stand.load(Relaxed) {
            1 => Stand::Joining,
            2 => Stand::Rendering,
            3 => Stand::Failed,
            4 => Stand::Late,
            _ => Stand::Preparing,
        }
    }

    pub(crate) fn set_stand(&self, stand: Stand) {
        self.stand.store(stand as u8, Relaxed);
    }

    pub(crate) fn count_block(&self, backend: Backend) {
        match backend {
            Backend::Cuda => self.gpu_blocks.fetch_add(1, Relaxed),
            Backend::Cpu => self.cpu_blocks.fetch_add(1, Relaxed),
        };
    }

    pub(crate) fn count_late(&self) {
        self.late.fetch_add(1, Relaxed);
    }

    /// For the GPU's thread: it may wait for a reader.
    pub(crate) fn set_device(&self, name: &str) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        name.clone_into(&mut texts.device);
    }

    /// For the GPU's thread: why it does not compute. `counts`: it did before.
    pub(crate) fn set_failure(&self, failure: String, counts: bool) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.failure = failure;
        if counts {
            self.failures.fetch_add(1, Relaxed);
        }
    }
}
