// Level meters: peaks in dBFS, a bar for each channel, the peak held for a while.

const FLOOR_DB = -60;
const SILENT_DB = -120;
const HOLD_MS = 1500;
const FALL_DB_PER_S = 24;
const READ_EVERY_MS = 250;
const NAMES = ["L", "R"];

const share = (db) => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));

function element(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

/** One group of meters inside `root`: the input's or the output's. */
export class Meters {
  #root;
  #rows = [];
  #title = "";
  #texts;

  constructor(root) {
    this.#root = root;
  }

  /** Says the group's name in the language of `texts`. */
  translate(title, texts) {
    this.#title = title;
    this.#texts = texts;
    this.#build(this.#rows.length || 2);
  }

  /** Shows the newest peaks in dBFS, one for each channel. */
  show(peaks, now = performance.now()) {
    if (peaks.length > 0 && peaks.length !== this.#rows.length) this.#build(peaks.length);
    peaks.forEach((peak, index) => this.#rows[index].show(peak, now));
  }

  /** Nothing is known: the bars fall. */
  clear() {
    for (const row of this.#rows) row.clear();
  }

  #build(channels) {
    const title = element("h3", "");
    title.textContent = this.#title;
    this.#rows = Array.from({ length: channels }, (_, index) => {
      const name = channels === 2 ? NAMES[index] : String(index + 1);
      return new Row(name, `${this.#title} ${name}`, this.#texts);
    });
    this.#root.replaceChildren(title, ...this.#rows.map((row) => row.root));
  }
}

class Row {
  #cover = element("span", "cover");
  #held = element("span", "held");
  #value = element("span", "value");
  #bar = element("span", "bar");
  #texts;
  #level = SILENT_DB;
  #peak = SILENT_DB;
  #peakAt = 0;
  #shownAt = 0;
  #readAt = -Infinity;

  constructor(name, label, texts) {
    this.#texts = texts;
    this.root = element("div", "meter");
    const channel = element("span", "channel");
    channel.textContent = name;
    channel.ariaHidden = "true";
    this.#value.ariaHidden = "true";
    this.#bar.role = "meter";
    this.#bar.ariaLabel = label;
    this.#bar.ariaValueMin = FLOOR_DB;
    this.#bar.ariaValueMax = 0;
    this.#bar.append(this.#cover, this.#held);
    this.root.append(channel, this.#bar, this.#value);
    this.clear();
  }

  show(db, now) {
    // Up at once, down with the weight of a needle.
    const seconds = Math.min(1, (now - this.#shownAt) / 1000);
    this.#shownAt = now;
    this.#level = Math.max(db, this.#level - FALL_DB_PER_S * seconds, SILENT_DB);
    if (db >= this.#peak || now - this.#peakAt > HOLD_MS) {
      this.#peak = Math.max(db, SILENT_DB);
      this.#peakAt = now;
    }
    this.#draw();
    if (now - this.#readAt > READ_EVERY_MS) {
      this.#readAt = now;
      const silent = this.#peak <= SILENT_DB;
      this.#value.textContent = silent ? "−∞" : this.#peak.toFixed(1).replace("-", "−");
      this.#bar.ariaValueNow = Math.max(FLOOR_DB, this.#peak).toFixed(1);
      this.#bar.ariaValueText = silent ? this.#texts.silence : `${this.#peak.toFixed(1)} dB`;
    }
  }

  clear() {
    this.#level = SILENT_DB;
    this.#peak = SILENT_DB;
    this.#value.textContent = "–";
    this.#bar.ariaValueNow = FLOOR_DB;
    this.#bar.ariaValueText = "–";
    this.#draw();
  }

  #draw() {
    this.#cover.style.transform = `scaleX(${(1 - share(this.#level)).toFixed(4)})`;
    this.#held.style.transform = `translateX(${(share(this.#peak) * 101 - 101).toFixed(2)}%)`;
    this.#held.classList.toggle("over", this.#peak >= -0.1);
  }
}
