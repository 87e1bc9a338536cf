// The view System: services, start, board, faults, log; backup, diagnostics, password, power.

import { h, say } from "/dom.js";
import { address, get, send } from "/api.js";
import { backupPart } from "/backup.js";
import * as format from "/format.js";
import { logCard } from "/logs.js";
import { attempt, bad, busy, confirm, good } from "/notice.js";
import { known, on } from "/state.js";
import { texts } from "/texts.js";

const EVERY_MS = 5000;
const fact = (term, value, test) => h("div", { test }, h("dt", {}, term), h("dd", {}, value));
const card = (id, title, size, ...content) => h("section", { class: `card ${size}`, "aria-labelledby": id }, h("h2", { id }, title), content);

function servicesCard(t) {
  const rows = h("tbody", { test: "services" });
  const head = (text, number) => h("th", { scope: "col", class: number && "number" }, text);
  const problem = h("p", { class: "soft", hidden: true });
  return {
    root: card("services", t.services, "two-thirds", h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, head(t.service), head(t.state), head(t.restarts, true), head(t.memory, true), head(t.cpuTime, true))), rows), problem),
    show({ services, services_problem }) {
      problem.hidden = !services_problem;
      say(problem, services_problem ? `${t.servicesAway} ${services_problem}` : "");
      rows.replaceChildren(...services.map((one) => h("tr", {},
        h("th", { scope: "row" }, t.serviceNames[one.name] ?? one.name, h("br"), h("span", { class: "credit" }, one.name)),
        h("td", {}, h("span", { class: `dot ${one.state}` }, t.serviceStates[one.state] ?? one.state), one.status_text && h("p", { class: "credit", lang: "en" }, one.status_text)),
        h("td", { class: "number", data: { name: t.restarts } }, format.count(one.restarts)),
        h("td", { class: "number", data: { name: t.memory } }, one.memory_bytes === null ? "–" : format.bytes(one.memory_bytes)),
        h("td", { class: "number", data: { name: t.cpuTime } }, one.cpu_seconds === null ? "–" : format.seconds(one.cpu_seconds)))));
    },
  };
}

function bootCard(t) {
  const list = h("ul", { class: "milestones", test: "milestones" });
  return {
    root: card("boot", t.boot, "third", h("p", { class: "soft" }, t.bootAbout), list),
    show({ boot }) {
      const longest = Math.max(40, ...boot.map((one) => one.seconds ?? 0)) * 1.02;
      const at = (seconds) => `${(seconds / longest) * 100}%`;
      list.replaceChildren(...boot.map((one) => {
        const done = h("i", { class: one.budget_seconds !== null && one.seconds > one.budget_seconds && "late" });
        done.style.width = at(one.seconds ?? 0);
        const budget = one.budget_seconds !== null && h("b", { title: format.seconds(one.budget_seconds) });
        if (budget) budget.style.left = at(one.budget_seconds);
        return h("li", { class: "milestone" }, h("span", {}, t.milestones[one.name] ?? one.name), h("span", { class: "lane", "aria-hidden": "true" }, done, budget),
          h("span", {}, one.seconds === null ? "–" : format.seconds(one.seconds), one.budget_seconds !== null && h("span", { class: "unseen" }, ` / ${format.seconds(one.budget_seconds)}`)));
      }));
    },
  };
}

function boardCard(t) {
  const facts = h("dl", { class: "facts", test: "board" });
  const heat = h("dl", { class: "facts", test: "temperatures" });
  const realTime = h("dl", { class: "facts" });
  return {
    root: card("board", t.board, "half", facts, realTime, h("h3", {}, t.temperatures), heat),
    show({ board, version }) {
      facts.replaceChildren(...[
        fact(t.version, version, "system-version"),
        fact(t.daemonVersion, known.telemetry?.status.version ?? "–", "daemon-version"),
        board.model && fact(t.model, board.model), board.system && fact(t.system, board.system), board.kernel && fact(t.kernel, board.kernel),
        fact(t.uptime, format.duration(board.uptime_seconds)), fact(t.loadAverage, board.load.toFixed(2)),
        fact(t.memory, t.free(format.bytes(board.memory_free_bytes), format.bytes(board.memory_bytes))),
        fact(t.disk, t.free(format.bytes(board.disk_free_bytes), format.bytes(board.disk_bytes))),
      ].filter(Boolean));
      const all = board.temperatures.length > 0 ? board.temperatures : (known.telemetry?.temperatures ?? []);
      heat.replaceChildren(...(all.length === 0 ? [h("div", {}, h("dt", {}, t.noTemperatures), h("dd", {}))] : all.map((one) => fact(one.name, `${one.celsius.toFixed(1)} °C`))));
      const real = known.telemetry?.status.real_time;
      if (real) realTime.replaceChildren(fact(t.realTime, t.realTimeOf(real.scheduling, real.priority)));
    },
  };
}

function faultsCard(t) {
  const list = h("ul", { class: "list", test: "faults" });
  const counters = h("dl", { class: "facts", test: "xruns" });
  let before = "";
  return {
    root: card("faults", t.faults, "half", counters, list),
    status({ faults = [], counters: sum, last_error }) {
      const now = JSON.stringify([faults, sum.capture_xruns, sum.playback_xruns, sum.clipped_samples]);
      if (now === before) return;
      before = now;
      counters.replaceChildren(...["capture_xruns", "playback_xruns", "clipped_samples"].map((key) => fact(t.counters[key], format.count(sum[key]))));
      const shown = faults.length > 0 ? faults : last_error ? [{ kind: "", count: 1, active: false, message: last_error, uptime_seconds: 0 }] : [];
      list.replaceChildren(...(shown.length === 0 ? [h("li", { class: "soft" }, t.noFaults)] : shown.map((one) =>
        h("li", {}, h("span", { class: "grow" }, h("strong", { class: one.active && "problem" }, `${t.faultKinds[one.kind] ?? t.lastError}${one.active ? ` (${t.faultActive})` : ""}`), h("span", { class: "credit", lang: "en" }, one.message)), h("span", {}, t.times(one.count))))));
    },
  };
}

function careCard(t) {
  return {
    root: card("care", t.care, "half care",
      h("h3", {}, t.views.check), h("p", { class: "soft" }, t.checkAbout),
      h("div", { class: "row" }, h("a", { class: "button", href: "#check", test: "check" }, t.checkOpen)),
      h("h3", {}, t.diagnostics), h("p", { class: "soft" }, t.diagnosticsAbout),
      h("div", { class: "row" }, h("a", { class: "button", href: address("diagnostics"), download: "totton-audio-diagnostics.tar.gz", test: "diagnostics" }, t.diagnosticsGet)),
      h("h3", {}, t.backup), backupPart(t),
      h("h3", {}, "API"), h("p", {}, h("a", { href: "/api", test: "api" }, "OpenAPI 3.1"))),
  };
}

function powerCard(t) {
  const action = (name, title, about, test, danger) => {
    const button = h("button", { type: "button", class: danger ? "danger" : "", test }, title);
    button.addEventListener("click", async () => {
      if (await confirm(title, about, title)) await attempt(() => send("POST", "power", { do: name }), t.powerAsked);
    });
    return button;
  };
  const reload = h("button", { type: "button", test: "system-reload" }, t.reload);
  reload.addEventListener("click", busy(reload, () => send("POST", "reload"), t.done.reload));
  return {
    root: card("power", t.power, "half care", h("div", { class: "row" },
      action("restart-audio", t.restartAudio, t.restartAudioAbout, "restart-audio"),
      action("reboot", t.reboot, t.rebootAbout, "reboot"),
      action("power-off", t.powerOff, t.powerOffAbout, "power-off", true)), passwordPart(t)),
  };
}

function passwordPart(t) {
  const state = h("p", { class: "soft", test: "password-state" });
  const field = (label, name, complete) => h("label", { class: "field" }, h("span", {}, label), h("input", { type: "password", name, autocomplete: complete, test: name }));
  const current = field(t.passwordCurrent, "password-current", "current-password");
  const form = h("form", { class: "controls" }, current, field(t.passwordNew, "password-new", "new-password"), field(t.passwordAgain, "password-again", "new-password"),
    h("p", { class: "soft" }, t.passwordLength), h("div", { class: "row" }, h("button", { class: "", test: "password-set" }, t.passwordChange)));
  const drop = h("button", { type: "button", class: "plain danger", test: "password-remove" }, t.passwordRemove);
  const out = h("button", { type: "button", class: "plain", test: "log-out" }, t.logOut);
  const value = (name) => form.elements[name].value;

  async function show() {
    const session = await get("session").catch(() => null);
    if (!session) return;
    say(state, session.password_set ? t.passwordSet : t.passwordNone);
    for (const part of [current, drop, out]) part.hidden = !session.password_set;
  }

  async function change(next, said) {
    try {
      await send("PUT", "password", { current: value("password-current") || null, new: next });
      form.reset();
      good(said);
      show();
    } catch (problem) {
      bad(problem);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (value("password-new") !== value("password-again")) bad({ title: t.passwordDiffers });
    else if (value("password-new").length < 8) bad({ title: t.passwordLength });
    else change(value("password-new"), t.passwordChanged);
  });
  drop.addEventListener("click", () => change(null, t.passwordRemoved));
  out.addEventListener("click", async () => {
    await attempt(() => send("DELETE", "session"));
    location.reload();
  });
  show();
  return h("details", {}, h("summary", { test: "password" }, h("h3", {}, t.password)), state, form, h("div", { class: "row" }, drop, out));
}

export function open(root) {
  const t = texts();
  const [services, boot, board, faults, log] = [servicesCard(t), bootCard(t), boardCard(t), faultsCard(t), logCard()];
  root.append(h("h1", {}, t.views.system), services.root, boot.root, board.root, faults.root, log.root, careCard(t).root, powerCard(t).root);

  async function load() {
    const system = await get("system").catch(() => null);
    // What was known stays where the box cannot be reached.
    if (system) for (const part of [services, boot, board]) part.show(system);
  }
  const ends = [on("telemetry", ({ status }) => faults.status(status))];
  if (known.telemetry) faults.status(known.telemetry.status);
  load();
  const timer = setInterval(() => !document.hidden && load(), EVERY_MS);
  return {
    close() {
      clearInterval(timer);
      log.close();
      ends.forEach((end) => end());
    },
  };
}
