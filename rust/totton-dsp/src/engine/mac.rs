//! The multiply-accumulate kernel: filter spectra times input spectra, summed
//! over the partitions.

use crate::simd::Vector;

/// The ring that both sides are read through.
#[derive(Clone, Copy)]
pub struct Spectra {
    pub partitions: usize,
    /// Slots of the input's ring, at least as many as partitions.
    pub slots: usize,
    /// The slot of the input that meets partition 0.
    pub newest: usize,
}

/// Sums `T` bins and their mirror images over all partitions, in registers.
/// `to` says where each bin and its mirror image go.
///
/// # Safety
///
/// As for [`Vector`]; `filter` holds `[partition][T][re, im][lane]`, `input`
/// holds `[slot][T][re, im, mirrored re, im]`.
#[inline(always)]
pub unsafe fn tile<V: Vector, const T: usize>(
    spectra: Spectra,
    filter: *const V::Scalar,
    input: *const V::Scalar,
    to: [[*mut V::Scalar; 2]; T],
) {
    // SAFETY: the partitions and slots are inside what the caller gives.
    unsafe {
        let zero = V::splat(V::Scalar::default());
        let mut sums = [[zero; 4]; T];
        let fresh = spectra.partitions.min(spectra.slots - spectra.newest);
        let mut filter = filter;
        let runs = [(spectra.newest, fresh), (0, spectra.partitions - fresh)];
        for (slot, count) in runs {
            let mut input = input.add(slot * T * 4);
            for _ in 0..count {
                for (bin, sum) in sums.iter_mut().enumerate() {
                    let re = V::load(filter.add(2 * bin * V::LANES));
                    let im = V::load(filter.add((2 * bin + 1) * V::LANES));
                    let [x_re, x_im, m_re, m_im] = *input.add(bin * 4).cast::<[V::Scalar; 4]>();
                    let (x_re, x_im) = (V::splat(x_re), V::splat(x_im));
                    let (m_re, m_im) = (V::splat(m_re), V::splat(m_im));
                    sum[0] = sum[0].mul_acc(x_re, re).mul_dec(x_im, im);
                    sum[1] = sum[1].mul_acc(x_re, im).mul_acc(x_im, re);
                    // The mirror image meets the conjugate.
                    sum[2] = sum[2].mul_acc(m_re, re).mul_acc(m_im, im);
                    sum[3] = sum[3].mul_acc(m_im, re).mul_dec(m_re, im);
                }
                filter = filter.add(2 * T * V::LANES);
                input = input.add(T * 4);
            }
        }
        for (sum, [bin, mirror]) in sums.into_iter().zip(to) {
            sum[0].store(bin);
            sum[1].store(bin.add(V::LANES));
            sum[2].store(mirror);
            sum[3].store(mirror.add(V::LANES));
        }
    }
}

/// Bin 0 and the bin of half the rate, where the filter's spectrum is real.
///
/// # Safety
///
/// As for [`Vector`]; `filter` holds `[partition][bin 0, half][lane]`, `input`
/// holds `[slot][re, im of bin 0, re, im of half]`.
#[inline(always)]
pub unsafe fn edge<V: Vector>(
    spectra: Spectra,
    filter: *const V::Scalar,
    input: *const V::Scalar,
    [zero_to, half_to]: [*mut V::Scalar; 2],
) {
    // SAFETY: the partitions and slots are inside what the caller gives.
    unsafe {
        let mut sums = [V::splat(V::Scalar::default()); 4];
        for partition in 0..spectra.partitions {
            let slot = (spectra.newest + partition) % spectra.slots;
            let filter = filter.add(partition * 2 * V::LANES);
            let (zero, half) = (V::load(filter), V::load(filter.add(V::LANES)));
            let [z_re, z_im, h_re, h_im] = *input.add(slot * 4).cast::<[V::Scalar; 4]>();
            sums[0] = sums[0].mul_acc(V::splat(z_re), zero);
            sums[1] = sums[1].mul_acc(V::splat(z_im), zero);
            sums[2] = sums[2].mul_acc(V::splat(h_re), half);
            sums[3] = sums[3].mul_acc(V::splat(h_im), half);
        }
        sums[0].store(zero_to);
        sums[1].store(zero_to.add(V::LANES));
        sums[2].store(half_to);
        sums[3].store(half_to.add(V::LANES));
    }
}
