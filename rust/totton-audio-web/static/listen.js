// The view Listen: the state in words, the signal's way from the PC to the DAC, levels, volume.

import { h, s, say } from "/dom.js";
import { get, send } from "/api.js";
import * as format from "/format.js";
import { Meters } from "/meters.js";
import { attempt, busy } from "/notice.js";
import { known, on, take } from "/state.js";
import { language, texts } from "/texts.js";
import { volumeCard } from "/volume.js";

const SILENT_AFTER_MS = 2000;
// Numbers that run are read twice a second.
const HEALTH_EVERY_MS = 500;

const picture = (...shapes) => s("svg", { class: "picture", viewBox: "0 0 32 32", "aria-hidden": "true" }, shapes);
const line = (d) => s("path", { d });

function node(id, title, art) {
  const part = (name, attributes = {}) => h("p", { class: name, ...attributes });
  const parts = { rate: part("rate", { test: `${id}-rate` }), format: part("format", { test: `${id}-format` }), name: part("name", { test: `${id}-name` }), more: part("name", { test: `${id}-more` }) };
  return { ...parts, root: h("li", { class: `node ${id}`, id: `node-${id}` }, art, h("h2", {}, title), Object.values(parts)) };
}

export function open(root) {
  const t = texts();
  const heading = h("h1", { test: "headline" });
  const hint = h("p", { class: "hint", test: "hint" });
  const message = h("p", { class: "message", lang: "en", test: "message", hidden: true });

  const input = node("input", t.pc, picture(line("M7 7.500h18v12.500H7zM3.500 24.500h25")));
  const engine = node("engine", t.box, picture(line("M3.500 20h4v-7h4v9h4V9c4-3 5 15 8 14s2-10 5-9.500")));
  const output = node("output", t.dac, picture(line("M4 11h24v10.500H4zM9 21.500V24M23 21.500V24M8.500 16.250h8"), s("circle", { cx: 22.5, cy: 16.25, r: 2.25 })));
  const dac = h("button", { type: "button", class: "link", test: "choose-dac", onclick: () => chooseDac() }, t.chooseDac);
  output.root.append(dac);
  const delays = h("p", { class: "delays", test: "latency" });

  const inputMeters = new Meters(t.fromPc, "input-levels");
  const outputMeters = new Meters(t.toDac, "output-levels");
  const volume = volumeCard();

  const counters = h("dl", { class: "facts two", test: "counters" });
  const fault = h("p", { class: "fault", test: "last-error", hidden: true }, h("strong", {}, t.lastError), " ", h("span", { lang: "en" }));
  const command = (name, title, about) => {
    const button = h("button", { type: "button", test: name, "aria-describedby": `about-${name}` }, title);
    button.addEventListener("click", busy(button, () => send("POST", name), t.done[name]));
    return [button, h("p", { class: "soft", id: `about-${name}` }, about)];
  };
  const actions = h("section", { class: "card actions", "aria-labelledby": "actions" },
    h("h2", { id: "actions" }, t.actions),
    command("restart-stream", t.restart, t.restartAbout),
    command("reload", t.reload, t.reloadAbout));

  root.append(
    h("section", { class: "hero", "aria-label": t.path },
      h("div", { class: "headline" }, heading, hint, message),
      h("ol", { class: "path" }, input.root, engine.root, output.root), delays),
    h("section", { class: "card levels", "aria-labelledby": "levels" },
      h("h2", { id: "levels" }, `${t.levels} · dBFS`),
      inputMeters.root, outputMeters.root,
      h("p", { class: "scale", "aria-hidden": "true" }, ["−60", "−48", "−36", "−24", "−12", "0"].map((text) => h("span", {}, text)))),
    volume.root,
    h("section", { class: "card health", "aria-labelledby": "health" }, h("h2", { id: "health" }, t.health), counters, fault),
    actions);

  let healthAt = -Infinity;

  function state() {
    const status = known.telemetry?.status;
    const now = known.link === "live" ? status.state : known.link;
    say(heading, t.states[now]?.[0] ?? now);
    let words = t.states[now]?.[1] ?? "";
    let more = null;
    if (known.link === "live") {
      if (now === "streaming" && (status.gain?.muted ?? status.sound.mute)) words = t.hintMuted;
      else if (now === "streaming" && performance.now() - known.loudAt > SILENT_AFTER_MS) words = t.hintSilent;
      if (now !== "streaming" && now !== "idle") more = status.message;
    } else {
      if (known.telemetry) words = [words, t.stale(Math.round((performance.now() - known.knownAt) / 1000))].join(language() === "ja" ? "" : " ");
      if (known.link === "away") more = known.reason;
      inputMeters.clear();
      outputMeters.clear();
    }
    say(hint, words);
    say(message, more ?? "");
    message.hidden = !more;
    for (const button of root.querySelectorAll(".actions button, .path button")) button.disabled = known.link !== "live";
  }

  function device(part, device) {
    say(part.rate, device ? format.rate(device.rate) : "–");
    part.rate.dataset.hz = device ? device.rate : "";
    say(part.format, device ? `${device.significant_bits ? t.bits(device.significant_bits) : format.bits(device.format)} · ${t.channels(device.channels)}` : "");
    say(part.name, device ? `${device.name} · ${device.format}` : "");
    part.root.classList.toggle("absent", !device);
  }

  function path(status) {
    device(input, status.input);
    device(output, status.output);
    const made = status.engine;
    say(engine.rate, made ? `× ${made.ratio}` : "–");
    engine.rate.dataset.testid = "ratio";
    say(engine.format, made ? `${t.taps(format.count(made.taps))} · ${t.backends[made.backend] ?? made.backend} · ${t.float(made.precision_bits)}` : "");
    say(engine.name, made ? [made.filter.split("/").pop(), made.equaliser && `${t.equaliser}: ${made.equaliser}`].filter(Boolean).join(" · ") : "");
    say(engine.more, made?.preparing ? `${t.preparing} ${made.preparing}` : (made?.backend_reason ?? ""));
    engine.more.lang = "en";
    engine.root.classList.toggle("absent", !made);
    const late = status.latency;
    const parts = late ? Object.entries(t.latencyParts).map(([name, word]) => [word, late[`${name}_seconds`]]).filter(([, seconds]) => seconds >= 0.0005) : [];
    delays.hidden = !late;
    if (late) say(delays, `${t.latency} ${format.milliseconds(late.total_seconds)} = ${parts.map(([word, seconds]) => `${word} ${format.milliseconds(seconds)}`).join(" + ")}`);
  }

  function counter(key, value, bad) {
    let entry = counters.querySelector(`[data-counter="${key}"]`);
    if (!entry) {
      entry = h("div", { data: { counter: key } }, h("dt", {}, t.counters[key]), h("dd", {}));
      counters.append(entry);
    }
    say(entry.lastChild, value);
    entry.classList.toggle("bad", Boolean(bad));
  }

  function health(message) {
    const { status } = message;
    const sum = status.counters;
    counter("uptime", format.duration(status.uptime_seconds));
    counter("load", status.engine ? format.percent(status.engine.load, 1) : "–", status.engine?.load > 0.9);
    for (const key of ["capture_xruns", "playback_xruns", "clipped_samples"]) counter(key, format.count(sum[key]), sum[key] > 0);
    for (const key of ["limited_samples", "input_pauses", "stream_starts", "rate_switches"]) counter(key, format.count(sum[key]));
    if (message.drift) counter("drift", `${format.decibels(message.drift.correction_ppm, 1)} ppm`);
    if (message.memory) counter("memory", format.bytes(message.memory.resident_bytes));
    fault.hidden = !status.last_error;
    say(fault.lastChild, status.last_error ?? "");
  }

  function telemetry(message) {
    const now = performance.now();
    const { levels } = message;
    inputMeters.show(levels.input_peak_dbfs, levels.input_rms_dbfs, now);
    outputMeters.show(levels.output_peak_dbfs, levels.output_rms_dbfs, now);
    state();
    path(message.status);
    if (now - healthAt > HEALTH_EVERY_MS) {
      healthAt = now;
      health(message);
    }
  }

  async function chooseDac() {
    const answer = await attempt(() => get("dacs"));
    if (!answer) return;
    const setting = known.settings?.dac ?? "";
    // A DAC that was set by its card is listed by its USB identity.
    const chosen = answer.dacs.find((dac) => dac.device === setting)?.name ?? setting;
    const option = (value, title, about) =>
      h("label", { class: "option" },
        h("input", { type: "radio", name: "dac", value, checked: value === chosen }),
        h("span", {}, h("strong", {}, title), h("span", { class: "soft" }, about)));
    const about = (dac) =>
      [dac.in_use && t.inUse, dac.problem ? `${t.dacProblem} ${dac.problem}` : dac.rates.length > 0 && t.dacRates(format.rate(Math.max(...dac.rates))), dac.formats.join(" "), dac.usb_id].filter(Boolean).join(" · ");
    const form = h("form", { method: "dialog" },
      h("h2", { id: "dac-title" }, t.chooseDac),
      h("div", { class: "options" }, option("", t.automatic, ""), answer.dacs.map((dac) => option(dac.name, dac.label || dac.name, about(dac)))),
      h("div", { class: "row end" },
        h("button", { value: "", class: "plain", formnovalidate: true }, t.cancel),
        h("button", { value: "apply", class: "primary", test: "dac-apply" }, t.apply)));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "dac-title", test: "dac-dialog" }, form);
    dialog.addEventListener("close", async () => {
      const dac = new FormData(form).get("dac");
      dialog.remove();
      if (dialog.returnValue === "apply") {
        await take(attempt(() => send("PATCH", "settings", { dac: dac || null })));
      }
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  const ends = [on("telemetry", telemetry), on("link", state)];
  if (known.telemetry) telemetry(known.telemetry);
  state();
  return {
    close() {
      ends.forEach((end) => end());
      volume.close();
    },
  };
}
