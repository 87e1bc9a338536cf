//! What can be told of an engine while another thread runs it.

/// Who renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A GPU, through CUDA.
    Cuda,
    /// The processor.
    Cpu,
}

/// One look at an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub backend: Backend,
    /// Why this backend, in words: the GPU's name, or why it does not render.
    pub reason: String,
    /// Blocks that the GPU rendered in time.
    pub gpu_blocks: u64,
    /// Blocks that the processor rendered.
    pub cpu_blocks: u64,
    /// Times that the GPU failed or was late.
    pub gpu_faults: u64,
}

/// A look at an engine, from any thread, without keeping it waiting.
pub trait Watch: Send + Sync {
    /// What there is to tell now.
    fn report(&self) -> Report;
}
