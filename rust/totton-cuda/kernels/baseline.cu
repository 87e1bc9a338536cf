/* The kernels of the bench's baseline: plain overlap-save at the output rate, what
 * the product's ancestor did. The input is stuffed with zeros, a single transform
 * spans the filter, and nothing is cut into partitions or branches.
 *
 *   stuff    input -> ring of input frames -> [channel][N], zeros between frames
 *   (cuFFT)  real to complex, a transform for each channel
 *   product  times the filter's spectrum
 *   (cuFFT)  complex to real
 *   keep     the last block * ratio samples of each channel, as f64
 */

#include "target.h"

#define HEADER 8
#define NEWEST 0 /* where this block goes in the ring of input frames */

typedef struct {
    const double *input; /* HEADER, then [channel][block] */
    double *control;     /* HEADER: what the next kernel reads of it */
    real *ring;          /* [channel][frames] */
    u32 block, frames;
} take_arguments;

/* Grid: block / THREADS rounded up, channels. */
KERNEL(take, take_arguments) {
    EACH_THREAD {
        const u32 frame = BLOCK_X * THREADS + thread, channel = BLOCK_Y;
        if (frame < HEADER && channel == 0) a.control[frame] = a.input[frame];
        if (frame < a.block) {
            a.ring[channel * a.frames + (u32)a.input[NEWEST] + frame] =
                (real)a.input[HEADER + channel * a.block + frame];
        }
    }
}

typedef struct {
    const double *control;
    const real *ring;
    real *work; /* [channel][N] */
    u32 block, frames, ratio;
} stuff_arguments;

/* Grid: N / THREADS, channels; N = frames * ratio. */
KERNEL(stuff, stuff_arguments) {
    EACH_THREAD {
        const u32 at = BLOCK_X * THREADS + thread, channel = BLOCK_Y;
        const u32 oldest = (u32)a.control[NEWEST] + a.block;
        const u32 frame = (oldest + at / a.ratio) % a.frames;
        const unsigned long long to = (unsigned long long)channel * a.frames * a.ratio + at;
        a.work[to] = at % a.ratio == 0 ? a.ring[channel * a.frames + frame] : (real)0;
    }
}

typedef struct {
    const complex_value *filter; /* [bins] */
    complex_value *spectrum;     /* [channel][bins] */
    u32 bins;
} product_arguments;

/* Grid: bins / THREADS rounded up, channels. */
KERNEL(product, product_arguments) {
    EACH_THREAD {
        const u32 bin = BLOCK_X * THREADS + thread, channel = BLOCK_Y;
        if (bin < a.bins) {
            complex_value *value = a.spectrum + (unsigned long long)channel * a.bins + bin;
            const complex_value x = *value, h = a.filter[bin];
            value->re = FMA(x.re, h.re, -x.im * h.im);
            value->im = FMA(x.re, h.im, x.im * h.re);
        }
    }
}

typedef struct {
    const real *work; /* [channel][N] */
    double *output;   /* [channel][count] */
    u32 length, count;
} keep_arguments;

/* Grid: count / THREADS, channels. */
KERNEL(keep, keep_arguments) {
    EACH_THREAD {
        const u32 at = BLOCK_X * THREADS + thread, channel = BLOCK_Y;
        const unsigned long long from = (unsigned long long)(channel + 1) * a.length - a.count + at;
        if (at < a.count) a.output[(unsigned long long)channel * a.count + at] = (double)a.work[from];
    }
}
