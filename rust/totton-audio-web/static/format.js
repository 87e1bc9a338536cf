// Numbers and times as people read them, in the language now chosen.

import { language, texts } from "/texts.js";

const number = (value, digits) => value.toLocaleString(language(), { maximumFractionDigits: digits });

export const count = (value) => (value ?? null) === null ? "–" : number(value, 0);

/** A sample rate: 44100 is "44.1 kHz". */
export const rate = (hz) => `${number(hz / 1000, 4)} kHz`;

/** A frequency of sound: 1500 is "1.5 kHz". */
export const frequency = (hz) => (hz < 1000 ? `${number(hz, hz < 100 ? 1 : 0)} Hz` : `${number(hz / 1000, 2)} kHz`);

/** A level with a true minus sign; the floor is silence. */
export function decibels(db, digits = 1) {
  if (db <= -120) return "−∞";
  return db.toFixed(digits).replace("-", "−").replace(/^−(0\.?0*)$/, "$1");
}

/** A gain with its sign. */
export const gain = (db, digits = 1) => `${db > 0 ? "+" : ""}${decibels(db, digits)} dB`;

export const milliseconds = (seconds) =>
  (seconds ?? null) === null ? "–" : `${number(seconds * 1000, seconds < 0.1 ? 1 : 0)} ms`;

export const seconds = (value) => `${number(value, 1)} s`;

export const percent = (part, digits = 0) =>
  part.toLocaleString(language(), { style: "percent", maximumFractionDigits: digits });

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** How long something has been running. */
export function duration(value) {
  const whole = Math.floor(value);
  const hours = Math.floor(whole / 3600);
  return texts().time(Math.floor(hours / 24), hours % 24, Math.floor(whole / 60) % 60, whole % 60);
}

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleString(language(), { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The bits of an ALSA format. */
export function bits(format) {
  const [, kind, size] = /^(S|U|FLOAT)(\d*)/.exec(format) ?? [];
  if (kind === "FLOAT") return texts().float(format.startsWith("FLOAT64") ? 64 : 32);
  return size ? texts().bits(Number(size)) : format;
}
