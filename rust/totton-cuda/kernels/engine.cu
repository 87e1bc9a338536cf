/* The kernels of the engine: polyphase partitioned overlap-save.
 *
 * A block of `block` input frames is convolved with `ratio` branches of the
 * filter, cut into `partitions` of `block` taps each; the transforms have
 * N = 2 * block points. Two channels are one complex signal, a `pair`. In order:
 *
 *   window    input -> the last two blocks of each pair, N complex values
 *   (cuFFT)   forward, a transform for each pair
 *   multiply  puts its result into the ring of input spectra, in the slot `newest`;
 *             filter spectra times input spectra, summed over partitions
 *   sum       sums the chunks of the partitions, where there are several
 *   (cuFFT)   inverse, a transform for each pair and branch
 *   finish    the branches interleaved, the pairs parted, times the gain, as f64
 *
 * Layouts, all in the order in which `multiply` reads:
 *
 *   filter  [group of branches][tile of LANES bins][partition][branch][lane]
 *   ring    [pair][tile][slot][lane], bin and mirror image side by side
 *   sums    [chunk][pair][branch][N]
 *
 * The filter is real: its bin N - k is the conjugate of bin k, so only the bins
 * below N / 2 are stored, and each loaded value serves a bin and its mirror image.
 * Bin 0 and bin N / 2 are real and share the place of bin 0.
 */

#include "target.h"

/* What changes from block to block, ahead of the input's samples. */
#define HEADER 8
#define NEWEST 0    /* the ring's slot for this block's spectrum */
#define GAIN_FROM 1 /* the gain before the first output frame of the block */
#define GAIN_TO 2   /* the gain at its last output frame */

/* Input beyond this magnitude is limited to it, as the CPU engine does. */
#define LARGEST 1e12
#define FINITE 1.7976931348623157e308

INLINE real accept(double value) {
    const double magnitude = fabs(value);
    /* What is not a number compares false. */
    if (magnitude >= LEAST && magnitude <= FINITE) {
        return (real)fmin(fmax(value, -LARGEST), LARGEST);
    }
    return (real)0;
}

typedef struct {
    const double *input;  /* HEADER, then [channel][block] */
    double *control;      /* HEADER: what the kernels after this one read of it */
    complex_value *kept;  /* [pair][block]: the block before */
    complex_value *work;  /* [pair][N] */
    u32 block, channels;
} window_arguments;

/* Grid: block / THREADS rounded up, pairs. */
KERNEL(window, window_arguments) {
    EACH_THREAD {
        const u32 frame = BLOCK_X * THREADS + thread, pair = BLOCK_Y;
        if (frame < HEADER && pair == 0) a.control[frame] = a.input[frame];
        if (frame < a.block) {
            const double *first = a.input + HEADER + 2 * pair * a.block;
            complex_value *kept = a.kept + pair * a.block + frame;
            complex_value *work = a.work + 2 * pair * a.block + frame;
            complex_value fresh;
            fresh.re = accept(first[frame]);
            fresh.im = (real)0;
            if (2 * pair + 1 < a.channels) fresh.im = accept(first[a.block + frame]);
            work[0] = *kept;
            work[a.block] = fresh;
            *kept = fresh;
        }
    }
}

typedef struct {
    const double *control;
    const complex_value *filter;
    const complex_value *work; /* [pair][N]: the newest spectra */
    input_bin *ring;
    complex_value *sums;
    u32 block, partitions, branches, pairs;
    u32 chunk; /* partitions of a chunk */
} multiply_arguments;

/* The warps of a thread block take turns at the partitions of its chunk: short
 * sums round less than long ones. */
#define WARPS (THREADS / LANES)
/* Branches that a thread sums: limited by the shared memory of a block. */
#ifdef REAL64
#define WIDEST 4
#else
#define WIDEST 8
#endif

INLINE real sum_of_warps(const real *value, u32 stride) {
    return ((value[0] + value[stride]) + (value[2 * stride] + value[3 * stride])) +
           ((value[4 * stride] + value[5 * stride]) + (value[6 * stride] + value[7 * stride]));
}

/* Puts a lane's newest bin and its mirror image into the ring. Each group of branches
 * does it, with the same values: a thread reads what it wrote itself. */
INLINE void store_newest(const multiply_arguments *a, input_bin *to, u32 bin, u32 pair) {
    const u32 length = 2 * a->block;
    const complex_value *work = a->work + pair * length;
    const complex_value value = work[bin], mirror = work[bin == 0 ? a->block : length - bin];
    to->re = value.re;
    to->im = value.im;
    to->mirror_re = mirror.re;
    to->mirror_im = mirror.im;
}

/* Sums `width` branches of one tile over one chunk of the partitions. */
INLINE void multiply_tile(const multiply_arguments *a, const int width, u32 thread, u32 tile,
                          u32 group, u32 pair, u32 chunk, real *shared) {
    const u32 lane = thread % LANES, warp = thread / LANES, tiles = a->block / LANES;
    const u32 end = (chunk + 1) * a->chunk < a->partitions ? (chunk + 1) * a->chunk : a->partitions;
    const u32 first = chunk * a->chunk + warp;
    const complex_value *filter =
        a->filter +
        ((unsigned long long)(group * tiles + tile) * a->partitions + first) * width * LANES + lane;
    input_bin *ring =
        a->ring + (unsigned long long)(pair * tiles + tile) * a->partitions * LANES + lane;
    const int edge = tile == 0 && lane == 0;
    u32 slot = (u32)a->control[NEWEST] + first;
    real sums[WIDEST][4];
    UNROLL
    for (int branch = 0; branch < width; branch++) {
        sums[branch][0] = sums[branch][1] = sums[branch][2] = sums[branch][3] = (real)0;
    }
    if (first == 0) {
        store_newest(a, ring + (unsigned long long)slot * LANES, tile * LANES + lane, pair);
    }
    /* Two at a time: more bytes are under way. */
    UNROLL_TWICE
    for (u32 partition = first; partition < end; partition += WARPS) {
        slot = slot < a->partitions ? slot : slot - a->partitions;
        const input_bin x = ring[(unsigned long long)slot * LANES];
        UNROLL
        for (int branch = 0; branch < width; branch++) {
            const complex_value h = READ_ONCE(filter + branch * LANES);
            const real im = edge ? (real)0 : h.im;
            /* The mirror image meets the conjugate; at the edge, bin N / 2. */
            const real mirror = edge ? h.im : h.re;
            real *sum = sums[branch];
            sum[0] = FMA(x.re, h.re, sum[0]);
            sum[0] = FMA(-x.im, im, sum[0]);
            sum[1] = FMA(x.re, im, sum[1]);
            sum[1] = FMA(x.im, h.re, sum[1]);
            sum[2] = FMA(x.mirror_re, mirror, sum[2]);
            sum[2] = FMA(x.mirror_im, im, sum[2]);
            sum[3] = FMA(x.mirror_im, mirror, sum[3]);
            sum[3] = FMA(-x.mirror_re, im, sum[3]);
        }
        slot += WARPS;
        filter += WARPS * width * LANES;
    }
    UNROLL
    for (int branch = 0; branch < width; branch++) {
        real *to = shared + (warp * width + branch) * 4 * LANES + lane;
        to[0] = sums[branch][0];
        to[LANES] = sums[branch][1];
        to[2 * LANES] = sums[branch][2];
        to[3 * LANES] = sums[branch][3];
    }
}

/* Adds up the warps of a tile and puts each bin in its place. */
INLINE void gather_tile(const multiply_arguments *a, const u32 width, u32 thread, u32 tile,
                        u32 group, u32 pair, u32 chunk, const real *shared) {
    const u32 length = 2 * a->block, stride = width * 4 * LANES;
    for (u32 item = thread; item < width * 2 * LANES; item += THREADS) {
        const u32 lane = item % LANES, half = item / LANES % 2, branch = item / LANES / 2;
        const u32 bin = tile * LANES + lane;
        const real *from = shared + (branch * 4 + half * 2) * LANES + lane;
        const u32 row = (chunk * a->pairs + pair) * a->branches + group * width + branch;
        complex_value *to = a->sums + (unsigned long long)row * length;
        complex_value total;
        total.re = sum_of_warps(from, stride);
        total.im = sum_of_warps(from + LANES, stride);
        to[half == 0 ? bin : bin == 0 ? a->block : length - bin] = total;
    }
}

/* Grid: tiles, groups of `width` branches times pairs, chunks. */
#define MULTIPLY(width)                                                                     \
    KERNEL(multiply_##width, multiply_arguments) {                                          \
        SHARED real shared[WARPS * width * 4 * LANES];                                      \
        const u32 group = BLOCK_Y / a.pairs, pair = BLOCK_Y % a.pairs;                      \
        EACH_THREAD multiply_tile(&a, width, thread, BLOCK_X, group, pair, BLOCK_Z, shared); \
        BARRIER;                                                                            \
        EACH_THREAD gather_tile(&a, width, thread, BLOCK_X, group, pair, BLOCK_Z, shared);  \
    }

MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(4)
#if WIDEST >= 8
MULTIPLY(8)
#endif

typedef struct {
    complex_value *sums; /* [chunk][count]; the total goes where the first chunk was */
    u32 count, chunks;
} sum_arguments;

/* Grid: count / THREADS rounded up. */
KERNEL(sum, sum_arguments) {
    EACH_THREAD {
        const u32 index = BLOCK_X * THREADS + thread;
        if (index < a.count) {
            double re = 0, im = 0;
            for (u32 chunk = 0; chunk < a.chunks; chunk++) {
                const complex_value value = a.sums[(unsigned long long)chunk * a.count + index];
                re += value.re;
                im += value.im;
            }
            a.sums[index].re = (real)re;
            a.sums[index].im = (real)im;
        }
    }
}

typedef struct {
    const double *control;
    const complex_value *work; /* [pair][branch][N] */
    double *output;            /* [channel][block * branches] */
    u32 block, branches, channels;
} finish_arguments;

/* Input frames whose branches a thread block interleaves. */
#define FRAMES 32
#define MOST_BRANCHES 16

/* Grid: block / FRAMES, pairs. */
KERNEL(finish, finish_arguments) {
    SHARED complex_value shared[MOST_BRANCHES * (FRAMES + 1)];
    const u32 start = BLOCK_X * FRAMES, pair = BLOCK_Y, items = FRAMES * a.branches;
    EACH_THREAD {
        for (u32 item = thread; item < items; item += THREADS) {
            const u32 frame = item % FRAMES, branch = item / FRAMES;
            /* Overlap-save keeps the second half. */
            const u32 row = pair * a.branches + branch, at = a.block + start + frame;
            shared[branch * (FRAMES + 1) + frame] =
                a.work[(unsigned long long)row * 2 * a.block + at];
        }
    }
    BARRIER;
    EACH_THREAD {
        for (u32 item = thread; item < items; item += THREADS) {
            const u32 frame = item / a.branches, branch = item % a.branches;
            const u32 frames = a.block * a.branches, at = start * a.branches + item;
            const double from = a.control[GAIN_FROM], to = a.control[GAIN_TO];
            const double part = (double)(at + 1) / (double)frames;
            /* The last frame has the new gain to the bit, and so has every one that does not ramp. */
            const double gain = from == to || at + 1 == frames ? to : from + (to - from) * part;
            const complex_value value = shared[branch * (FRAMES + 1) + frame];
            double *output = a.output + (unsigned long long)2 * pair * frames + at;
            output[0] = gain * (double)value.re;
            if (2 * pair + 1 < a.channels) output[frames] = gain * (double)value.im;
        }
    }
}
