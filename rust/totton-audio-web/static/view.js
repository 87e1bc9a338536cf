// Shows a status. Nothing here talks to the box.

const byTest = (name) => document.querySelector(`[data-testid="${name}"]`);

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function bitsOf(format, texts) {
  const [, kind, bits] = /^(S|U|FLOAT)(\d*)/.exec(format) ?? [];
  if (kind === "FLOAT") return texts.float(format.startsWith("FLOAT64") ? 64 : 32);
  return bits ? texts.bits(Number(bits)) : format;
}

const kiloHertz = (rate, language) =>
  `${(rate / 1000).toLocaleString(language, { maximumFractionDigits: 4 })} kHz`;

const milliseconds = (device, language) =>
  device
    ? `${((device.buffer_frames / device.rate) * 1000).toLocaleString(language, { maximumFractionDigits: 1 })} ms`
    : "–";

/** What is shown for the state, in words and for tests. */
export function showState(state, hint, message, texts) {
  const heading = byTest("state");
  say(heading, texts.states[state]?.[0] ?? state);
  say(byTest("hint"), hint ?? texts.states[state]?.[1] ?? "");
  say(byTest("message"), message ?? "");
  byTest("message").hidden = !message;
  document.title = `${heading.textContent} · Totton Audio`;
}

function showDevice(side, device, language, texts) {
  const rate = byTest(`${side}-rate`);
  say(rate, device ? kiloHertz(device.rate, language) : "–");
  rate.dataset.hz = device ? device.rate : "";
  say(
    byTest(`${side}-format`),
    device ? `${bitsOf(device.format, texts)} · ${texts.channels(device.channels)}` : "",
  );
  say(byTest(`${side}-name`), device ? `${device.name} · ${device.format}` : "");
  document.getElementById(`node-${side}`).classList.toggle("absent", !device);
}

function showEngine(engine, language, texts) {
  say(byTest("ratio"), engine ? `× ${engine.ratio}` : "–");
  say(byTest("taps"), engine ? texts.taps(engine.taps.toLocaleString(language)) : "");
  const backend = engine && (texts.backends[engine.backend] ?? engine.backend);
  say(byTest("backend"), engine ? `${backend} · ${texts.float(engine.precision_bits)}` : "");
  say(byTest("filter"), engine ? engine.filter.split("/").pop() : "");
  say(byTest("backend-reason"), engine?.backend_reason ?? "");
  byTest("backend-reason").hidden = !engine?.backend_reason;
  document.getElementById("node-engine").classList.toggle("absent", !engine);
}

/** The signal path. */
export function showPath(status, language, texts) {
  showDevice("input", status.input, language, texts);
  showEngine(status.engine, language, texts);
  showDevice("output", status.output, language, texts);
}

function uptime(seconds, texts) {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  return texts.time(Math.floor(hours / 24), hours % 24, Math.floor(whole / 60) % 60, whole % 60);
}

function showCounter(list, key, value, bad, texts) {
  let entry = list.querySelector(`[data-counter="${key}"]`);
  if (!entry) {
    entry = document.createElement("div");
    entry.dataset.counter = key;
    entry.append(document.createElement("dt"), document.createElement("dd"));
    list.append(entry);
  }
  const [term, number] = entry.children;
  say(term, texts.counters[key]);
  say(number, value);
  entry.classList.toggle("bad", bad);
}

/** Counters, last fault, version of the daemon; `status` is null while nothing is known. */
export function showHealth(status, language, texts) {
  const { engine, counters } = status ?? {};
  const count = (name) => counters?.[name]?.toLocaleString(language) ?? "–";
  const load = engine?.load.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 });
  const list = document.getElementById("counters");
  for (const [key, value, bad = false] of [
    ["uptime", status ? uptime(status.uptime_seconds, texts) : "–"],
    ["load", load ?? "–", engine?.load > 0.9],
    ["inputBuffer", milliseconds(status?.input, language)],
    ["outputBuffer", milliseconds(status?.output, language)],
    ["stream_starts", count("stream_starts")],
    ["reloads", count("reloads")],
    ["capture_xruns", count("capture_xruns"), counters?.capture_xruns > 0],
    ["playback_xruns", count("playback_xruns"), counters?.playback_xruns > 0],
    ["input_pauses", count("input_pauses")],
    ["clipped_samples", count("clipped_samples"), counters?.clipped_samples > 0],
    ["input_frames", count("input_frames")],
    ["output_frames", count("output_frames")],
  ]) {
    showCounter(list, key, value, bad, texts);
  }
  const fault = byTest("last-error");
  fault.hidden = !status?.last_error;
  say(fault.querySelector("span"), status?.last_error ?? "");
  say(byTest("daemon-version"), status?.version ?? "–");
}

/** The fixed texts of the page. */
export function translate(language, texts) {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    say(element, texts[element.dataset.text]);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.ariaLabel = texts[element.dataset.label];
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.ariaPressed = String(button.dataset.language === language);
  }
}
