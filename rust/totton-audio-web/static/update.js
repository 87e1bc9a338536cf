// The view Update: what runs, what is new, how far an update is, what came of it.

import { h, say } from "/dom.js";
import { get, send } from "/api.js";
import * as format from "/format.js";
import { attempt, confirm, words } from "/notice.js";
import { texts } from "/texts.js";
import { feedCard } from "/update-feed.js";
import { filePart } from "/update-file.js";

const EVERY_MS = 700;
const IDLE_MS = 5000;

const fact = (term, value, more) => h("div", {}, h("dt", {}, term), h("dd", more, value));
const titled = (id, title, ...content) => h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), content);

/** What is done to the box now, in one place of the view: only one update at a time. */
function workPart(t) {
  const bar = h("progress", { max: 1, "aria-label": t.update, test: "update-progress", hidden: true });
  const status = h("p", { role: "status", test: "update-status" });
  const detail = h("p", { class: "soft", lang: "en", test: "update-detail" });
  const show = (text, more = "", part = null) => {
    bar.hidden = part === null;
    bar.value = part ?? 0;
    say(status, text);
    say(detail, more);
  };
  return {
    root: [bar, status, detail],
    busy: false,
    show,
    /** Runs an update; says what went wrong. Gives its answer, or null. */
    async run(request) {
      this.busy = true;
      try {
        return await request();
      } catch (problem) {
        const { title, detail: why, action } = words(problem);
        show(title, [why, action].filter(Boolean).join(" — "));
        return null;
      } finally {
        this.busy = false;
        this.changed();
      }
    },
    changed: () => {},
    /** What the updater does. */
    follow({ progress, running }) {
      if (!running || !progress || (this.busy && progress.steps === 0)) return;
      const writing = progress.steps > 0;
      show(writing ? t.updateWriting(progress.step, progress.steps, progress.image) : t.updatePhases[progress.phase],
        progress.info, writing ? (Math.max(0, progress.step - 1) + progress.percent / 100) / progress.steps : 0);
    },
  };
}

/** What runs, what became of the last update, and the restart. */
function nowPart(t) {
  const facts = h("dl", { class: "facts" });
  const told = h("p", { test: "update-outcome", hidden: true });
  const waits = h("p", { test: "update-waits", hidden: true }, t.updateQuietWaits);
  const restart = h("button", { type: "button", class: "primary", test: "update-restart" }, t.updateRestart);
  const quiet = h("button", { type: "button", test: "update-quiet" });
  const buttons = h("div", { class: "row", hidden: true }, restart, quiet);
  let waiting = false;
  restart.addEventListener("click", async () => {
    if (await confirm(t.reboot, t.rebootAbout, t.updateRestart)) await attempt(() => send("POST", "power", { do: "reboot" }), t.powerAsked);
  });
  const part = {
    facts, told: [told, waits, buttons],
    changed: () => {},
    show({ version, slot, other_version, outcome, last, running, restart_waits }) {
      waiting = restart_waits;
      facts.replaceChildren(
        fact(t.updateVersion, version, { test: "update-version" }),
        ...(slot ? [fact(t.updateSlot, slot), fact(t.updateOther, other_version ?? t.updateOtherUnknown, { test: "update-other" })] : []));
      const sentence = outcome && t.updateOutcomes[outcome]?.(last.from_version, last.to_version ?? "?", version);
      told.hidden = !sentence || running;
      say(told, sentence ?? "");
      const ready = outcome === "waits-for-restart" && !running;
      buttons.hidden = !ready;
      waits.hidden = !ready || !restart_waits;
      say(quiet, restart_waits ? t.updateQuietNot : t.updateQuiet);
    },
  };
  quiet.addEventListener("click", async () => {
    await attempt(() => send("POST", "update/restart", { restart: waiting ? "ask" : "quiet" }));
    part.changed();
  });
  return part;
}

/** How the last one ended. */
function lastRows(t, one) {
  if (!one) return [h("div", {}, h("dt", {}, t.none), h("dd", {}))];
  return [
    fact(format.clock(one.at), t.updateResult[one.success ? "success" : "failure"] + (one.checked_only ? ` · ${t.updateCheck}` : "")),
    fact(t.version, one.to_version ? `${one.from_version} → ${one.to_version}` : one.from_version),
    one.words && fact(t.updateWords, one.words, { lang: "en" }),
  ].filter(Boolean);
}

export function open(root) {
  const t = texts();
  const work = workPart(t);
  const now = nowPart(t);
  const feed = feedCard(t, work);
  const file = filePart(t, work);
  const last = h("dl", { class: "facts", test: "update-last" });
  const away = h("div", { class: "drop", test: "update-away", hidden: true }, h("h2", {}, t.updateAway), h("p", { class: "soft", lang: "en" }));
  let timer = 0;
  let closed = false;

  root.append(h("h1", {}, t.views.update),
    h("section", { class: "card", "aria-label": t.update }, now.facts, h("div", { class: "controls" }, now.told, work.root)),
    feed.root,
    titled("update-file", t.updateFromFile, h("p", { class: "soft" }, t.updateAbout), away, file.root),
    titled("update-steps", t.updateSteps, h("ol", { class: "numbered", test: "update-steps" }, t.updateStepList.map((step) => h("li", {}, step)))),
    titled("last", t.updateLast, last));

  async function load() {
    clearTimeout(timer);
    const state = await get("update").catch(() => null);
    if (closed) return;
    timer = setTimeout(load, work.busy || state?.running ? EVERY_MS : IDLE_MS);
    if (!state) return;
    now.show(state);
    work.follow(state);
    const free = state.available && !state.running && !work.busy;
    away.hidden = state.available || state.running;
    file.root.hidden = !free;
    feed.allow(free);
    say(away.lastChild, state.reason ?? "");
    last.replaceChildren(...lastRows(t, state.last));
  }

  work.changed = load;
  now.changed = load;
  load();
  feed.load();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      feed.close();
    },
  };
}
