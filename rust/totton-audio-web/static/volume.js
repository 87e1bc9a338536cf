// Volume and mute: what the user is moving is not moved back by what is still on its way.

import { h, icon, say } from "/dom.js";
import { send } from "/api.js";
import { decibels, gain as signed } from "/format.js";
import { bad } from "/notice.js";
import { known, on } from "/state.js";
import { texts } from "/texts.js";

// Telemetry on its way may still tell the value from before a command.
const SETTLE_MS = 500;
const LOWEST_DB = -60;

/** The card with the volume. */
export function volumeCard() {
  const t = texts();
  const value = h("output", { class: "gain-value", for: "gain", test: "gain-value" }, "–");
  const slider = h("input", { type: "range", id: "gain", test: "gain", "aria-label": t.gain, min: LOWEST_DB, max: 0, step: 0.5 });
  const mute = h("button", { type: "button", class: "mute", test: "mute", "aria-pressed": "false" },
    icon("M4 9.500v5h3.500l4.500 4v-13l-4.500 4z", "m16 9.500 5 5m0-5-5 5"),
    h("span", {}, t.mute));
  const extra = h("p", { class: "soft", test: "host-volume" });
  let settled = 0;
  let next = null;
  let sending = false;

  const showGain = (db) => {
    const text = `${decibels(db)} dB`;
    say(value, text);
    slider.ariaValueText = text;
    slider.style.setProperty("--filled", `${Math.max(0, 100 - (db / LOWEST_DB) * 100)}%`);
  };
  const showMute = (on) => {
    mute.ariaPressed = String(on);
  };
  const show = () => {
    const live = known.link === "live";
    slider.disabled = mute.disabled = !live;
    const status = known.telemetry?.status;
    if (!status || sending || performance.now() < settled) return;
    slider.value = status.sound.gain_db;
    showGain(status.sound.gain_db);
    showMute(status.sound.mute);
    const host = status.host_volume;
    const words = [];
    if (host && status.sound.host_volume) words.push(host.mute ? t.hostMuted : t.hostVolume(signed(host.volume_db)));
    if (status.gain && Math.abs(status.gain.total_db - status.sound.gain_db) > 0.05) words.push(t.total(signed(status.gain.total_db)));
    say(extra, words.join(" · "));
    extra.hidden = words.length === 0;
  };
  const failed = (problem) => {
    settled = 0;
    show();
    bad(problem);
  };

  // While the slider moves only the newest value matters: one request at a time, then the last.
  slider.addEventListener("input", async () => {
    next = slider.valueAsNumber;
    showGain(next);
    if (sending) return;
    sending = true;
    try {
      while (next !== null) {
        const gain_db = next;
        next = null;
        await send("PUT", "gain", { gain_db });
      }
      settled = performance.now() + SETTLE_MS;
      sending = false;
    } catch (problem) {
      next = null;
      sending = false;
      failed(problem);
    }
  });
  mute.addEventListener("click", async () => {
    const wanted = mute.ariaPressed !== "true";
    showMute(wanted);
    settled = performance.now() + SETTLE_MS;
    try {
      await send("PUT", "mute", { mute: wanted });
    } catch (problem) {
      failed(problem);
    }
  });

  const ends = [on("telemetry", show), on("link", show)];
  show();
  return {
    root: h("section", { class: "card volume", "aria-labelledby": "volume" },
      h("h2", { id: "volume" }, t.volume),
      h("div", { class: "volume-row" }, value, mute),
      slider,
      h("p", { class: "ends", "aria-hidden": "true" }, h("span", {}, "−60 dB"), h("span", {}, "0 dB")),
      extra),
    close: () => ends.forEach((end) => end()),
  };
}
