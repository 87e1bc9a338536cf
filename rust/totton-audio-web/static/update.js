// The view Update: a bundle to the box, how far it is, what came of it.

import { choose, h, say } from "/dom.js";
import { get, send, upload } from "/api.js";
import * as format from "/format.js";
import { attempt, confirm, words } from "/notice.js";
import { texts } from "/texts.js";

const EVERY_MS = 700;
const IDLE_MS = 5000;

export function open(root) {
  const t = texts();
  const version = h("dd", { test: "update-version" }, "–");
  const last = h("dl", { class: "facts", test: "update-last" });
  const away = h("div", { class: "drop", test: "update-away", hidden: true }, h("h2", {}, t.updateAway), h("p", { class: "soft", lang: "en" }));
  const pick = h("button", { type: "button", class: "primary", test: "update-choose" }, t.updateChoose);
  const check = h("input", { type: "checkbox", test: "update-check" });
  const drop = h("div", { class: "drop", test: "update-drop", hidden: true }, pick, h("p", { class: "soft" }, t.updateDrop), h("label", { class: "check" }, check, t.updateCheck));
  const bar = h("progress", { max: 1, "aria-label": t.update, test: "update-progress", hidden: true });
  const status = h("p", { role: "status", test: "update-status" });
  const detail = h("p", { class: "soft", lang: "en", test: "update-detail" });
  const restart = h("button", { type: "button", class: "primary", test: "update-restart", hidden: true }, t.updateRestart);
  let sending = false;
  let timer = 0;
  let closed = false;

  root.append(h("h1", {}, t.views.update),
    h("section", { class: "card", "aria-label": t.update }, h("p", { class: "soft" }, t.updateAbout),
      h("dl", { class: "facts" }, h("div", {}, h("dt", {}, t.updateVersion), version)), away, drop,
      h("div", { class: "controls" }, bar, status, detail, h("div", { class: "row" }, restart))),
    h("section", { class: "card", "aria-labelledby": "last" }, h("h2", { id: "last" }, t.updateLast), last));

  async function load() {
    clearTimeout(timer);
    const state = await get("update").catch(() => null);
    if (closed) return;
    timer = setTimeout(load, sending || state?.running ? EVERY_MS : IDLE_MS);
    if (!state) return;
    say(version, state.version);
    away.hidden = state.available || state.running;
    drop.hidden = !state.available || state.running || sending;
    say(away.lastChild, state.reason ?? "");
    const { progress, running } = state;
    if (running && progress && (progress.steps > 0 || !sending)) {
      bar.hidden = false;
      bar.value = progress.steps > 0 ? (Math.max(0, progress.step - 1) + progress.percent / 100) / progress.steps : 0;
      say(status, progress.steps > 0 ? t.updateWriting(progress.step, progress.steps, progress.image) : t.updatePhases[progress.phase]);
      say(detail, progress.info);
    }
    const one = state.last;
    last.replaceChildren(...(one ? [
      h("div", {}, h("dt", {}, format.clock(one.at)), h("dd", {}, t.updateResult[one.success ? "success" : "failure"] + (one.checked_only ? ` · ${t.updateCheck}` : ""))),
      h("div", {}, h("dt", {}, t.version), h("dd", {}, one.from_version)),
      one.words && h("div", {}, h("dt", {}, t.updateWords), h("dd", { lang: "en" }, one.words)),
    ].filter(Boolean) : [h("div", {}, h("dt", {}, t.none), h("dd", {}))]));
  }

  async function take(file) {
    if (!file || sending) return;
    const only = check.checked;
    if (!only && !(await confirm(t.updateInstall, t.updateFile(file.name, format.bytes(file.size)), t.updateInstall))) return;
    sending = true;
    restart.hidden = true;
    drop.hidden = true;
    bar.hidden = false;
    bar.value = 0;
    say(status, t.updateSending);
    say(detail, "");
    load();
    try {
      const done = await upload("POST", `update?check=${only}`, file, (part) => {
        bar.value = part;
      });
      bar.value = 1;
      say(status, only ? t.updateChecked : t.updatePhases.success);
      say(detail, done.words);
      restart.hidden = only;
    } catch (problem) {
      const { title, detail: why, action } = words(problem);
      bar.hidden = true;
      say(status, title);
      say(detail, [why, action].filter(Boolean).join(" — "));
    }
    sending = false;
    load();
  }

  pick.addEventListener("click", async () => take(await choose(".swu")));
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }
  restart.addEventListener("click", async () => {
    if (await confirm(t.reboot, t.rebootAbout, t.updateRestart)) await attempt(() => send("POST", "power", { do: "reboot" }), t.powerAsked);
  });
  load();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
