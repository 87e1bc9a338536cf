// The view Sound: presets, equaliser, filter, crossfeed, headroom, limiter, balance.

import { h, say } from "/dom.js";
import { send } from "/api.js";
import { equaliserCard } from "/equaliser.js";
import { filterCard } from "/filters.js";
import * as format from "/format.js";
import { bad, busy } from "/notice.js";
import { presetsCard } from "/presets.js";
import { known, on, take, tell } from "/state.js";
import { texts } from "/texts.js";

// bs2b's own three: Jan Meier's, Chu Moy's and its default. The lower the other side, the lighter.
const STRENGTHS = { light: { cut_hz: 650, feed_db: 9.5 }, usual: { cut_hz: 700, feed_db: 6 }, strong: { cut_hz: 700, feed_db: 4.5 } };

// What is on its way to the daemon, and what goes next.
let sending = null;
let next = null;

/** The sound as the user wants it: what is in force, and the changes that are not yet. */
const wanted = () => ({ ...known.settings.sound, ...sending, ...next });

/** Changes the sound; while something is on its way only the newest counts. */
async function change(sound) {
  next = { ...next, ...sound };
  tell("settings", known.settings);
  if (sending) return;
  try {
    while (next) {
      sending = next;
      next = null;
      await take(send("PATCH", "settings", { sound: sending }));
    }
  } catch (problem) {
    next = null;
    bad(problem);
  } finally {
    sending = null;
    // What is shown is what is in force, refused or not.
    tell("settings", known.settings);
  }
}

/** A slider with its value in words. */
function slider({ label, min, max, step, words, change: changed, test }) {
  const value = h("output", {});
  const input = h("input", { type: "range", min, max, step, "aria-label": label, test });
  const show = (number) => {
    say(value, words(number));
    input.ariaValueText = words(number);
    input.style.setProperty("--filled", `${((number - min) / (max - min)) * 100}%`);
  };
  input.addEventListener("input", () => {
    show(input.valueAsNumber);
    changed(input.valueAsNumber);
  });
  return {
    root: h("label", { class: "field" }, h("span", {}, h("span", {}, label), value), input),
    set(number, disabled = false) {
      input.disabled = disabled;
      if (document.activeElement !== input || !sending) input.value = number;
      show(input.valueAsNumber);
    },
  };
}

function toggle(label, changed, test) {
  const input = h("input", { type: "checkbox", role: "switch", test, onchange: () => changed(input.checked) });
  return { root: h("label", { class: "switch" }, input, label), set: (on_) => (input.checked = on_) };
}

function crossfeedCard(t) {
  const now = () => wanted().crossfeed ?? STRENGTHS.usual;
  const enabled = toggle(t.crossfeedOn, (on_) => change({ crossfeed: on_ ? STRENGTHS.usual : null }), "crossfeed");
  const strengths = h("div", { class: "segments", role: "group", "aria-label": t.crossfeedPresets },
    Object.entries(STRENGTHS).map(([name, crossfeed]) => h("button", { type: "button", data: { name }, test: `crossfeed-${name}`, onclick: () => change({ crossfeed }) }, t.crossfeedStrengths[name])));
  const cut = slider({ label: t.cut, min: 300, max: 2000, step: 10, words: format.frequency, change: (cut_hz) => change({ crossfeed: { ...now(), cut_hz } }), test: "crossfeed-cut" });
  const feed = slider({ label: t.feed, min: 1, max: 15, step: 0.1, words: (db) => `${format.decibels(db)} dB`, change: (feed_db) => change({ crossfeed: { ...now(), feed_db } }), test: "crossfeed-feed" });
  return {
    root: h("section", { class: "card", "aria-labelledby": "crossfeed" }, h("h2", { id: "crossfeed" }, t.crossfeed), h("p", { class: "soft" }, t.crossfeedAbout),
      h("div", { class: "controls" }, h("div", { class: "row apart" }, enabled.root, strengths), cut.root, feed.root)),
    show({ crossfeed }) {
      enabled.set(crossfeed !== null);
      const { cut_hz, feed_db } = crossfeed ?? STRENGTHS.usual;
      for (const button of strengths.children) {
        const one = STRENGTHS[button.dataset.name];
        button.disabled = crossfeed === null;
        button.ariaPressed = String(crossfeed !== null && one.cut_hz === cut_hz && one.feed_db === feed_db);
      }
      cut.set(cut_hz, crossfeed === null);
      feed.set(feed_db, crossfeed === null);
    },
  };
}

function headroomCard(t) {
  const kinds = h("div", { class: "segments", role: "group", "aria-label": t.headroom },
    Object.keys(t.headrooms).map((headroom) => h("button", { type: "button", data: { headroom }, test: `headroom-${headroom}`, onclick: () => change({ headroom }) }, t.headrooms[headroom])));
  const about = h("p", { class: "soft" });
  const amount = slider({ label: t.headroom, min: 0, max: 20, step: 0.5, words: (db) => `${format.decibels(db)} dB`, change: (headroom_db) => change({ headroom_db }), test: "headroom-db" });
  const facts = h("p", { class: "soft", test: "headroom-now" });
  const anew = h("button", { type: "button", test: "overs-reset" }, t.countAnew);
  anew.addEventListener("click", busy(anew, () => send("POST", "reset-overs"), t.countedAnew));
  const limiter = toggle(t.limiter, (on_) => change({ limiter: on_ ? { threshold_db: -1 } : null }), "limiter");
  const threshold = slider({ label: t.threshold, min: -12, max: -0.1, step: 0.1, words: (db) => `${format.decibels(db)} dBFS`, change: (threshold_db) => change({ limiter: { threshold_db } }), test: "limiter-threshold" });
  return {
    root: h("section", { class: "card", "aria-labelledby": "headroom" }, h("h2", { id: "headroom" }, t.headroom), h("p", { class: "soft" }, t.headroomAbout),
      h("div", { class: "controls" }, kinds, about, amount.root, facts, anew, limiter.root, h("p", { class: "soft" }, t.limiterAbout), threshold.root)),
    show(sound) {
      for (const button of kinds.children) button.ariaPressed = String(button.dataset.headroom === sound.headroom);
      say(about, t.headroomHints[sound.headroom]);
      amount.root.hidden = sound.headroom !== "fixed";
      amount.set(sound.headroom_db);
      limiter.set(sound.limiter !== null);
      threshold.set(sound.limiter?.threshold_db ?? -1, sound.limiter === null);
      threshold.root.hidden = sound.limiter === null;
    },
    status(status) {
      const worst = status.engine?.worst_case_gain_db;
      const words = [];
      if (worst !== null && worst !== undefined) words.push(t.worstCase(`${format.decibels(Math.max(0, worst))} dB`));
      if (status.gain.headroom_db) words.push(t.headroomNow(format.gain(status.gain.headroom_db)));
      const cutOff = status.overs.clipped_samples;
      if (cutOff > 0) words.push(t.clippedNow(format.count(cutOff)));
      anew.hidden = cutOff === 0;
      say(facts, words.join(" · "));
    },
  };
}

function balanceCard(t) {
  const words = (part) => (Math.abs(part) < 0.005 ? t.centre : `${part < 0 ? t.left : t.right} ${format.percent(Math.abs(part))}`);
  const balance = slider({ label: t.balanceLabel, min: -1, max: 1, step: 0.01, words, change: (part) => change({ balance: Math.abs(part) < 0.03 ? 0 : part }), test: "balance" });
  const mono = toggle(t.mono, (on_) => change({ mono: on_ }), "mono");
  const host = toggle(t.followHost, (on_) => change({ host_volume: on_ }), "host-volume-switch");
  return {
    root: h("section", { class: "card", "aria-labelledby": "balance" }, h("h2", { id: "balance" }, t.balance),
      h("div", { class: "controls" }, balance.root, mono.root, h("p", { class: "soft" }, t.monoAbout), host.root)),
    show(sound) {
      balance.set(sound.balance);
      mono.set(sound.mono);
      host.set(sound.host_volume);
    },
  };
}

export function open(root) {
  const t = texts();
  const [presets, equaliser, filter] = [presetsCard(), equaliserCard(), filterCard()];
  const cards = [crossfeedCard(t), headroomCard(t), balanceCard(t)];
  const [crossfeed, headroom, balance] = cards;
  root.append(h("h1", {}, t.views.sound), presets.root, equaliser.root, h("div", { class: "stack half" }, filter.root, balance.root), h("div", { class: "stack half" }, headroom.root, crossfeed.root));
  equaliser.opened();

  const show = () => known.settings && cards.forEach((card) => card.show(wanted()));
  const link = () => root.toggleAttribute("inert", known.link !== "live");
  const status = (message) => headroom.status(message.status);
  const ends = [on("settings", show), on("link", link), on("telemetry", status)];
  show();
  link();
  if (known.telemetry) status(known.telemetry);
  return {
    close() {
      ends.forEach((end) => end());
      [presets, equaliser, filter].forEach((card) => card.close());
    },
  };
}
