// What an equaliser does to a frequency: the same formulas as the box's own
// (R. Bristow-Johnson's cookbook, as analogue prototypes; totton-dsp, equaliser/band.rs).

/** Shapes, and whether a gain means something for them. */
export const SHAPES = { peaking: true, "low-shelf": true, "high-shelf": true, "low-pass": false, "high-pass": false, notch: false, "band-pass": false };

// The rate at which the engine runs; the bilinear transform's warp at audible frequencies is below 0.01 dB.
const RATE = 705600;

/** Squared magnitude of num/den for polynomials [c0, c1, c2] in s at s = jw. */
const power = ([c0, c1, c2], w) => (c0 - c2 * w * w) ** 2 + (c1 * w) ** 2;

/** A band's gain at a frequency in dB. */
export function bandGain(band, hz) {
  if (!band.on) return 0;
  const turn = (f) => Math.tan((Math.PI * f) / RATE);
  const w = turn(Math.min(hz, RATE * 0.499)) / turn(Math.min(band.frequency_hz, RATE * 0.499));
  const a = 10 ** (band.gain_db / 40);
  const q = band.q;
  const root = Math.sqrt(a) / q;
  const [num, den] = {
    peaking: [[1, a / q, 1], [1, 1 / (a * q), 1]],
    "low-shelf": [[a * a, a * root, a], [1, root, a]],
    "high-shelf": [[a, a * root, a * a], [a, root, 1]],
    "low-pass": [[1, 0, 0], [1, 1 / q, 1]],
    "high-pass": [[0, 0, 1], [1, 1 / q, 1]],
    notch: [[1, 0, 1], [1, 1 / q, 1]],
    "band-pass": [[0, 1 / q, 0], [1, 1 / q, 1]],
  }[band.shape];
  return 10 * Math.log10(Math.max(power(num, w) / power(den, w), 1e-20));
}

/** A curve's gain at a frequency in dB: straight over the logarithm, constant beyond its ends. */
export function curveGain(points, hz) {
  const after = points.findIndex(([at]) => at >= hz);
  if (after === 0) return points[0][1];
  if (after < 0) return points.at(-1)[1];
  const [[low, from], [high, to]] = [points[after - 1], points[after]];
  return from + ((to - from) * Math.log(hz / low)) / Math.log(high / low);
}

/** The whole equaliser's gain at a frequency in dB. */
export const gainOf = (profile, hz) =>
  profile.preamp_db +
  profile.bands.reduce((sum, band) => sum + bandGain(band, hz), 0) +
  profile.curves.reduce((sum, curve) => sum + curveGain(curve.points, hz), 0);

/** Frequencies from `low` to `high`, evenly over the logarithm. */
export const frequencies = (low, high, count) => Array.from({ length: count }, (_, index) => low * (high / low) ** (index / (count - 1)));

/** The highest gain between 10 Hz and 22 kHz without the preamp. */
export const highest = (profile) => Math.max(...frequencies(10, 22000, 600).map((hz) => gainOf(profile, hz) - profile.preamp_db));
