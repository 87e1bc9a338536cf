// The page: live events → what is known → what is shown.

import { Controls } from "/controls.js";
import { listen } from "/live.js";
import { Meters } from "/meters.js";
import { preferredLanguage, rememberLanguage, textsOf } from "/texts.js";
import { showHealth, showPath, showState, translate } from "/view.js";

// Numbers that run are read twice a second.
const HEALTH_EVERY_MS = 500;
const SILENT_DB = -100;
const SILENT_AFTER_MS = 2000;

let language = preferredLanguage();
const texts = () => textsOf(language);

const controls = new Controls(texts);
const inputMeters = new Meters(document.getElementById("input-meters"));
const outputMeters = new Meters(document.getElementById("output-meters"));

// What is known. `link` is connecting, live, away (the daemon) or offline (the box).
let link = "connecting";
let telemetry = null;
let knownAt = 0;
let reason = null;
let loudAt = 0;
let healthAt = -Infinity;
let version = null;

function hintWhileStreaming(status, now) {
  if (status.sound.mute) return texts().hintMuted;
  return now - loudAt > SILENT_AFTER_MS ? texts().hintSilent : null;
}

function show(now = performance.now()) {
  const heading = document.querySelector('[data-testid="state"]');
  const status = telemetry?.status ?? null;
  const state = link === "live" ? status.state : link;
  // For tests the box that cannot be reached is away, too.
  heading.dataset.state = link === "offline" ? "away" : state;
  document.body.dataset.link = link;
  document.body.dataset.state = state;
  if (link === "live") {
    const hint = state === "streaming" ? hintWhileStreaming(status, now) : null;
    showState(state, hint, state === "streaming" ? null : status.message, texts());
  } else {
    const stale = telemetry && texts().stale(Math.round((now - knownAt) / 1000));
    const hint = [texts().states[state][1], stale].filter(Boolean).join(language === "ja" ? "" : " ");
    showState(state, hint, link === "away" ? reason : null, texts());
  }
  controls.enable(link === "live");
  if (now - healthAt > HEALTH_EVERY_MS) {
    healthAt = now;
    showHealth(status, language, texts());
  }
  if (!status) return;
  showPath(status, language, texts());
  controls.show(status);
}

function lose(to, why) {
  link = to;
  reason = why;
  inputMeters.clear();
  outputMeters.clear();
  show();
}

function choose(chosen) {
  language = chosen;
  translate(language, texts());
  inputMeters.translate(texts().fromPc, texts());
  outputMeters.translate(texts().toDac, texts());
  healthAt = -Infinity;
  show();
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    rememberLanguage(button.dataset.language);
    choose(button.dataset.language);
  });
}
choose(language);

listen({
  hello(message) {
    // The service was updated: its page, too.
    if (version !== null && version !== message.version) location.reload();
    version = message.version;
    document.querySelector('[data-testid="version"]').textContent = version;
  },
  telemetry(message) {
    const now = performance.now();
    if (link !== "live") loudAt = now;
    link = "live";
    telemetry = message;
    knownAt = now;
    if (message.levels.input_peak_dbfs.some((peak) => peak > SILENT_DB)) loudAt = now;
    inputMeters.show(message.levels.input_peak_dbfs, now);
    outputMeters.show(message.levels.output_peak_dbfs, now);
    show(now);
  },
  away({ reason: why, action }) {
    lose("away", `${why.charAt(0).toUpperCase()}${why.slice(1)}. ${action}`);
  },
  offline: () => lose("offline", null),
});

// How long ago the shown values were known.
setInterval(() => link !== "live" && show(), 1000);
