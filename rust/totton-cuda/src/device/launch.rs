//! The kernels of `kernels/*.cu` and how they are launched.

use totton_dsp::Precision;

/// Bins of a tile: the lanes of a warp.
pub const LANES: usize = 32;
/// Threads of a thread block.
pub const THREADS: usize = 256;
/// Warps of a thread block.
pub const WARPS: usize = THREADS / LANES;
/// `f64` values ahead of the input's samples.
pub const HEADER: usize = 8;
/// In the header: the slot of the newest spectrum.
pub const NEWEST: usize = 0;
/// In the header: the gain before the block's first output frame.
pub const GAIN_FROM: usize = 1;
/// In the header: the gain at the block's last output frame.
pub const GAIN_TO: usize = 2;
/// Input frames that a thread block of [`Kernel::Finish`] interleaves.
pub const FRAMES: usize = 32;

/// Branches that a thread of the multiply kernel sums at most.
pub fn widest(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 8,
        Precision::F64 => 4,
    }
}

macro_rules! kernels {
    ($($kernel:ident, $name:literal, $addresses:literal, $numbers:literal;)*) => {
        /// A kernel; `kernels/engine.cu` and `kernels/baseline.cu` say what each does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kernel {
            $($kernel,)*
        }

        impl Kernel {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kernel,)*];

            /// Its name in the compiled kernels.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kernel => $name,)*
                }
            }

            /// How many addresses and numbers its arguments are.
            fn shape(self) -> (usize, usize) {
                match self {
                    $(Self::$kernel => ($addresses, $numbers),)*
                }
            }
        }
    };
}

kernels! {
    Window, "window", 4, 2;
    Multiply1, "multiply_1", 5, 5;
    Multiply2, "multiply_2", 5, 5;
    Multiply4, "multiply_4", 5, 5;
    Multiply8, "multiply_8", 5, 5;
    Sum, "sum", 1, 2;
    Finish, "finish", 3, 3;
    Take, "take", 3, 2;
    Stuff, "stuff", 3, 3;
    Product, "product", 2, 1;
    Keep, "keep", 2, 2;
}

impl Kernel {
    /// The multiply kernel that sums `width` branches in each thread.
    pub(crate) fn multiply(width: usize) -> Self {
        match width {
            1 => Self::Multiply1,
            2 => Self::Multiply2,
            4 => Self::Multiply4,
            _ => Self::Multiply8,
        }
    }

    /// Whether it belongs to the bench's baseline.
    #[must_use]
    pub fn is_baseline(self) -> bool {
        matches!(self, Self::Take | Self::Stuff | Self::Product | Self::Keep)
    }

    /// Whether it is there in this precision.
    #[must_use]
    pub fn exists(self, precision: Precision) -> bool {
        !(self == Self::Multiply8 && precision == Precision::F64)
    }
}

/// A kernel with its grid and arguments. Made by this crate alone, which vouches
/// for the addresses.
#[derive(Debug, Clone)]
pub struct Launch {
    pub(crate) kernel: Kernel,
    pub(crate) precision: Precision,
    pub(crate) grid: [u32; 3],
    /// The kernel's structure of arguments, as it lies in memory.
    pub(crate) arguments: Vec<u64>,
}

impl Launch {
    /// The structures of the kernels are addresses, then 32-bit numbers.
    pub(crate) fn new(
        kernel: Kernel,
        precision: Precision,
        grid: [usize; 3],
        addresses: &[u64],
        numbers: &[usize],
    ) -> Self {
        assert_eq!((addresses.len(), numbers.len()), kernel.shape(), "{kernel:?}");
        let mut arguments = addresses.to_vec();
        arguments.extend(numbers.chunks(2).map(|pair| {
            let low = pair[0] as u32;
            let high = pair.get(1).map_or(0, |number| *number as u32);
            u64::from(low) | u64::from(high) << 32
        }));
        Self { kernel, precision, grid: grid.map(|n| n as u32), arguments }
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}
