// The view Spectrum: what comes from the PC and what goes to the DAC, by frequency.

import { events } from "/api.js";
import { h, say } from "/dom.js";
import * as format from "/format.js";
import { known, on } from "/state.js";
import { texts } from "/texts.js";

const TOP_DB = 0;
const RANGES = [60, 90, 120, 150];
const AUDIBLE = [20, 20000];
const FALL_DB_PER_S = 30;
const RETRY_MS = 2000;
const READ_EVERY_MS = 1000;

export function open(root) {
  const t = texts();
  const canvas = h("canvas", { role: "img", test: "spectrum" });
  const status = h("p", { class: "soft", role: "status", test: "spectrum-status" }, t.loading);
  let range = 120;
  let hold = false;
  let frozen = false;
  let whole = false;
  let newest = null;
  let held = null;
  let shown = null;
  let drawnAt = performance.now();
  let readAt = 0;
  let frame = 0;
  let source = null;
  let timer = 0;

  const press = (text, test, changed) => h("button", { type: "button", "aria-pressed": "false", test, onclick: ({ currentTarget }) => {
    const on_ = currentTarget.ariaPressed !== "true";
    currentTarget.ariaPressed = String(on_);
    changed(on_);
    draw();
  } }, text);
  const ranges = h("select", { test: "spectrum-range", onchange: ({ target }) => {
    range = Number(target.value);
    draw();
  } }, RANGES.map((db) => h("option", { value: db, selected: db === range }, `${db} dB`)));

  root.append(h("h1", {}, t.views.spectrum),
    h("section", { class: "card", "aria-label": t.views.spectrum },
      h("div", { class: "row apart" }, h("p", { class: "soft grow" }, t.spectrumAbout),
        h("div", { class: "row" },
          press(t.spectrumFull, "spectrum-full", (on_) => (whole = on_)),
          press(t.spectrumHold, "spectrum-hold", (on_) => {
            hold = on_;
            held = null;
          }),
          press(t.spectrumFreeze, "spectrum-freeze", (on_) => (frozen = on_)),
          h("label", { class: "row" }, h("span", { class: "unseen" }, t.spectrumRange), ranges))),
      canvas,
      h("p", { class: "legend" }, h("span", {}, h("i", {}), t.spectrumOutput), h("span", {}, h("i", { class: "in" }), t.spectrumInput)),
      status));

  /** The bands as points of frequency and level. */
  const points = ({ low_hz, high_hz, levels_dbfs }) => levels_dbfs.map((db, index) => [low_hz * (high_hz / low_hz) ** (index / (levels_dbfs.length - 1)), db]);

  function draw() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const [left, below] = [44, 26];
    const low = AUDIBLE[0];
    const high = whole && newest ? newest.output.high_hz : AUDIBLE[1];
    const x = (hz) => left + (Math.log(hz / low) / Math.log(high / low)) * (width - left - 10);
    const y = (db) => 10 + ((TOP_DB - Math.max(db, -range - 2)) / range) * (height - below - 10);

    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour("--soft");
    context.strokeStyle = colour("--line");
    context.textAlign = "center";
    for (let decade = 10; decade <= high; decade *= 10) {
      for (const hz of [decade, 2 * decade, 5 * decade].filter((one) => one >= low && one <= high)) {
        context.beginPath();
        context.moveTo(x(hz), 10);
        context.lineTo(x(hz), height - below);
        context.stroke();
        context.fillText(hz >= 1000 ? `${hz / 1000}k` : hz, Math.min(x(hz), width - 14), height - 8);
      }
    }
    context.textAlign = "right";
    for (let db = TOP_DB; db >= -range; db -= range > 90 ? 20 : 10) {
      context.beginPath();
      context.moveTo(left, y(db));
      context.lineTo(width - 10, y(db));
      context.stroke();
      context.fillText(String(db).replace("-", "−"), left - 8, y(db) + 4);
    }
    if (!shown) return;
    const path = (levels) => {
      context.beginPath();
      let begun = false;
      for (const [hz, db] of levels) {
        if (hz < low || hz > high) continue;
        if (begun) context.lineTo(x(hz), y(db));
        else context.moveTo(x(hz), y(db));
        begun = true;
      }
    };
    context.save();
    context.beginPath();
    context.rect(left, 8, width - left - 10, height - below - 8);
    context.clip();
    context.lineJoin = "round";
    path(shown.output);
    context.lineTo(x(high), y(-range - 2));
    context.lineTo(left, y(-range - 2));
    context.fillStyle = colour("--accent");
    context.globalAlpha = 0.16;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = colour("--accent");
    path(shown.output);
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = colour("--cool");
    path(shown.input);
    context.stroke();
    if (hold && held) {
      context.lineWidth = 1;
      context.strokeStyle = colour("--text");
      path(held);
      context.stroke();
    }
    context.restore();
  }

  /** Up at once, down slowly: single frames are too restless to read. */
  function fall(before, now, seconds) {
    if (!before || before.length !== now.length) return now;
    return now.map(([hz, db], index) => [hz, Math.max(db, before[index][1] - FALL_DB_PER_S * seconds)]);
  }

  function turn() {
    frame = requestAnimationFrame(turn);
    if (!newest || frozen) return;
    const now = performance.now();
    const seconds = Math.min(0.2, (now - drawnAt) / 1000);
    drawnAt = now;
    const [input, output] = [points(newest.input), points(newest.output)];
    shown = { input: fall(shown?.input, input, seconds), output: fall(shown?.output, output, seconds) };
    if (hold) held = held && held.length === output.length ? held.map(([hz, db], index) => [hz, Math.max(db, output[index][1])]) : output;
    draw();
    if (now - readAt > READ_EVERY_MS) {
      readAt = now;
      const [hz, db] = output.reduce((best, point) => (point[1] > best[1] ? point : best));
      canvas.ariaLabel = t.spectrumLabel(db <= -150 ? t.silence : `${format.frequency(hz)}, ${format.decibels(db)} dBFS`);
      say(status, db <= -150 ? t.spectrumWaiting : "");
    }
  }

  function clear() {
    newest = shown = held = null;
    canvas.ariaLabel = t.spectrumLabel(t.silence);
    draw();
  }

  function listen() {
    source?.close();
    source = events("spectrum");
    source.addEventListener("spectrum", (event) => {
      newest = JSON.parse(event.data);
    });
    source.addEventListener("nothing", () => {
      clear();
      say(status, t.spectrumWaiting);
    });
    source.addEventListener("unavailable", (event) => {
      clear();
      say(status, `${t.spectrumAway} ${JSON.parse(event.data).reason}`);
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(listen, RETRY_MS);
    });
  }

  canvas.ariaLabel = t.spectrumLabel(t.silence);
  const resized = new ResizeObserver(draw);
  resized.observe(canvas);
  const ends = [on("theme", draw), on("link", () => known.link !== "live" && say(status, t.states[known.link]?.[1] ?? ""))];
  listen();
  turn();
  return {
    close() {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      source?.close();
      resized.disconnect();
      ends.forEach((end) => end());
    },
  };
}
