/* What the kernels need of their target, which is one of two:
 *
 * - a GPU, compiled by NVRTC (C++): `compile` beside this file;
 * - the processor, compiled as C: the tests run the same source there, thread
 *   after thread, and hold it against the CPU engine.
 *
 * So the kernels are written in what C and CUDA C++ share. A kernel is a list of
 * phases, EACH_THREAD { ... }, with a BARRIER between two of them; what a thread
 * knows of an earlier phase is in SHARED memory, never in a variable.
 */

#ifdef REAL64
typedef double real;
#define FMA(a, b, c) fma(a, b, c)
#define LEAST 1e-150
#else
typedef float real;
#define FMA(a, b, c) fmaf(a, b, c)
#define LEAST 1e-24
#endif

#define LANES 32
#define THREADS 256

typedef unsigned int u32;

#ifdef __CUDACC__

#define ALIGNED(bytes) __align__(bytes)
#define INLINE static __device__ __forceinline__
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#define UNROLL_TWICE _Pragma("unroll 2")
#define EACH_THREAD for (u32 thread = threadIdx.x, once = 1; once; once = 0)
#define BARRIER __syncthreads()
#define BLOCK_X blockIdx.x
#define BLOCK_Y blockIdx.y
#define BLOCK_Z blockIdx.z
#define KERNEL(name, Arguments) \
    extern "C" __global__ void __launch_bounds__(THREADS) name(const Arguments a)

#else

#include <math.h>
#define ALIGNED(bytes) __attribute__((aligned(bytes)))
#define INLINE static inline __attribute__((always_inline))
#define SHARED
#define UNROLL
#define UNROLL_TWICE
#define EACH_THREAD for (u32 thread = 0; thread < THREADS; thread++)
#define BARRIER
#define BLOCK_X block_x
#define BLOCK_Y block_y
#define BLOCK_Z block_z
/* name(arguments, grid): every block of the grid, one after the other. */
#define KERNEL(name, Arguments)                                                         \
    static void name##_block(Arguments a, u32 block_x, u32 block_y, u32 block_z);       \
    void name(const Arguments *a, const u32 grid[3]) {                                  \
        for (u32 z = 0; z < grid[2]; z++)                                               \
            for (u32 y = 0; y < grid[1]; y++)                                           \
                for (u32 x = 0; x < grid[0]; x++) name##_block(*a, x, y, z);            \
    }                                                                                   \
    static void name##_block(Arguments a, u32 block_x, u32 block_y, u32 block_z)

#endif

typedef struct ALIGNED(2 * sizeof(real)) {
    real re, im;
} complex_value;

/* A value that is not needed again before the next block: it may leave the caches first. */
#ifdef __CUDACC__
INLINE complex_value READ_ONCE(const complex_value *from) {
#ifdef REAL64
    const double2 value = __ldcs((const double2 *)from);
#else
    const float2 value = __ldcs((const float2 *)from);
#endif
    const complex_value result = {value.x, value.y};
    return result;
}
#else
#define READ_ONCE(from) (*(from))
#endif

/* A bin of the input and its mirror image, `N - bin`. */
typedef struct ALIGNED(16) {
    real re, im, mirror_re, mirror_im;
} input_bin;
