// Plots over the logarithm of the frequency.

import { s } from "/dom.js";
import { decibels } from "/format.js";

/** A plot's frame: where a frequency and a level are, and the lines behind. */
export class Frame {
  constructor({ width, height, low, high, bottom, top, step = 6, linear = false, left = 34, below = 22 }) {
    Object.assign(this, { width, height, low, high, bottom, top, step, linear, left, below });
  }

  x(hz) {
    const part = this.linear ? (hz - this.low) / (this.high - this.low) : Math.log(hz / this.low) / Math.log(this.high / this.low);
    return this.left + part * (this.width - this.left - 8);
  }

  y(db) {
    return 8 + ((this.top - db) / (this.top - this.bottom)) * (this.height - this.below - 8);
  }

  hz(x) {
    const part = (x - this.left) / (this.width - this.left - 8);
    return this.linear ? this.low + part * (this.high - this.low) : this.low * (this.high / this.low) ** part;
  }

  db(y) {
    return this.top - ((y - 8) / (this.height - this.below - 8)) * (this.top - this.bottom);
  }

  /** Frequencies with a line: 20, 50, 100, … that fit. */
  ticks() {
    if (this.linear) {
      const step = [1, 2, 5, 10, 20, 50, 100].map((kilo) => kilo * 1000).find((hz) => (this.high - this.low) / hz <= 9) ?? 200000;
      return Array.from({ length: Math.floor(this.high / step) + 1 }, (_, index) => index * step).filter((hz) => hz >= this.low);
    }
    const found = [];
    for (let decade = 1; decade <= this.high; decade *= 10) found.push(decade, 2 * decade, 5 * decade);
    return found.filter((hz) => hz >= this.low && hz <= this.high);
  }

  /** The lines and numbers behind a plot. */
  grid(unit = (db) => decibels(db, 0)) {
    const lines = this.ticks().map((hz) => [
      s("path", { class: "grid", d: `M${this.x(hz).toFixed(1)} 8V${this.height - this.below}` }),
      s("text", { x: this.x(hz), y: this.height - 6, "text-anchor": "middle" }, hz >= 1000 ? `${hz / 1000}k` : String(hz)),
    ]);
    for (let db = Math.ceil(this.bottom / this.step) * this.step; db <= this.top; db += this.step) {
      lines.push([
        s("path", { class: db === 0 ? "zero" : "grid", d: `M${this.left} ${this.y(db).toFixed(1)}H${this.width - 8}` }),
        s("text", { x: this.left - 6, y: this.y(db) + 4, "text-anchor": "end" }, unit(db)),
      ]);
    }
    return lines.flat();
  }

  /** A line through points of frequency and level, kept inside. */
  line(points) {
    const inside = (db) => Math.min(this.top + 2, Math.max(this.bottom - 2, db));
    return points.map(([hz, db], index) => `${index ? "L" : "M"}${this.x(hz).toFixed(1)} ${this.y(inside(db)).toFixed(1)}`).join("");
  }
}
