// Level meters: peaks and means in dBFS, a bar for each channel, the peak held for a while.

import { h, say } from "/dom.js";
import { decibels } from "/format.js";
import { texts } from "/texts.js";

const FLOOR_DB = -60;
const SILENT_DB = -120;
const HOLD_MS = 1500;
const OVER_MS = 4000;
const FALL_DB_PER_S = 24;
const READ_EVERY_MS = 250;
const NAMES = ["L", "R"];

const share = (db) => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));

/** One group of meters: the input's or the output's. */
export class Meters {
  #title;
  #rows = [];

  constructor(title, test) {
    this.#title = title;
    this.root = h("div", { class: "meters", role: "group", "aria-label": title, test });
    this.#build(2);
  }

  /** Shows the newest peaks and means in dBFS, one for each channel. */
  show(peaks, means, now) {
    if (peaks.length > 0 && peaks.length !== this.#rows.length) this.#build(peaks.length);
    peaks.forEach((peak, index) => this.#rows[index].show(peak, means?.[index] ?? SILENT_DB, now));
  }

  /** Nothing is known: the bars fall. */
  clear() {
    for (const row of this.#rows) row.clear();
  }

  #build(channels) {
    this.#rows = Array.from({ length: channels }, (_, index) => {
      const name = channels === 2 ? NAMES[index] : String(index + 1);
      return new Row(name, `${this.#title} ${name}`);
    });
    this.root.replaceChildren(h("h3", {}, this.#title), ...this.#rows.map((row) => row.root));
  }
}

class Row {
  #cover = h("span", { class: "cover" });
  #mean = h("span", { class: "mean" });
  #held = h("span", { class: "held" });
  #value = h("span", { class: "value", "aria-hidden": "true" });
  #bar;
  #level = SILENT_DB;
  #peak = SILENT_DB;
  #peakAt = 0;
  #overAt = -Infinity;
  #shownAt = 0;
  #readAt = -Infinity;

  constructor(name, label) {
    this.#bar = h("span", { class: "bar", role: "meter", "aria-label": label, "aria-valuemin": FLOOR_DB, "aria-valuemax": 0 }, this.#cover, this.#mean, this.#held);
    this.root = h("div", { class: "meter" }, h("span", { class: "channel", "aria-hidden": "true" }, name), this.#bar, this.#value);
    this.clear();
  }

  show(db, mean, now) {
    // Up at once, down with the weight of a needle.
    const seconds = Math.min(1, (now - this.#shownAt) / 1000);
    this.#shownAt = now;
    this.#level = Math.max(db, this.#level - FALL_DB_PER_S * seconds, SILENT_DB);
    if (db >= this.#peak || now - this.#peakAt > HOLD_MS) {
      this.#peak = Math.max(db, SILENT_DB);
      this.#peakAt = now;
    }
    if (db >= -0.01) this.#overAt = now;
    this.#mean.style.transform = `translateX(${(share(mean) * 100 - 100).toFixed(2)}%)`;
    this.#draw();
    if (now - this.#readAt > READ_EVERY_MS) {
      this.#readAt = now;
      const silent = this.#peak <= SILENT_DB;
      const over = now - this.#overAt < OVER_MS;
      say(this.#value, decibels(this.#peak));
      this.root.classList.toggle("over", over);
      this.#bar.ariaValueNow = Math.min(0, Math.max(FLOOR_DB, this.#peak)).toFixed(1);
      this.#bar.ariaValueText = silent ? texts().silence : `${this.#peak.toFixed(1)} dB${over ? `, ${texts().clipped}` : ""}`;
    }
  }

  clear() {
    this.#level = this.#peak = SILENT_DB;
    say(this.#value, "–");
    this.root.classList.remove("over");
    this.#bar.ariaValueNow = FLOOR_DB;
    this.#bar.ariaValueText = "–";
    this.#mean.style.transform = "translateX(-100%)";
    this.#draw();
  }

  #draw() {
    this.#cover.style.transform = `scaleX(${(1 - share(this.#level)).toFixed(4)})`;
    this.#held.style.transform = `translateX(${(share(this.#peak) * 100 - 100).toFixed(2)}%)`;
  }
}
