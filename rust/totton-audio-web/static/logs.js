// The log: by source and weight, filtered by text, followed, downloaded.

import { h, say } from "/dom.js";
import { address, events as listenTo, get } from "/api.js";
import * as format from "/format.js";
import { words } from "/notice.js";
import { texts } from "/texts.js";

const LINES = 300;
const MOST = 2000;
const TYPED_MS = 300;

export function logCard() {
  const t = texts();
  const option = ([value, text]) => h("option", { value }, text);
  const source = h("select", { test: "log-source" }, Object.entries(t.logSources).map(option));
  const level = h("select", { test: "log-level" }, Object.entries(t.logLevels).map(option));
  const text = h("input", { type: "search", maxlength: 200, "aria-label": t.logText, placeholder: t.logText, test: "log-text" });
  const follow = h("button", { type: "button", "aria-pressed": "false", test: "log-follow" }, t.logFollow);
  const download = h("a", { class: "button", download: "totton-audio-journal.txt", test: "log-download" }, t.logDownload);
  const list = h("ol", { test: "log-entries" });
  const box = h("div", { class: "log", role: "log", "aria-label": t.logs, tabindex: 0, lang: "en" }, list);
  const status = h("p", { class: "soft", role: "status" });
  let events = null;
  let timer = 0;
  let turn = 0;
  level.value = "info";

  const query = () => new URLSearchParams({ source: source.value, level: level.value, text: text.value, lines: LINES });
  const row = ({ time, priority, source: from, message }) =>
    h("li", { class: `p${priority}` }, h("time", { datetime: new Date(time * 1000).toISOString() }, format.clock(time)), h("span", { class: "from" }, from), h("span", {}, priority < 5 && h("strong", {}, `${t.priorities[priority]}: `), message));
  const bottom = () => {
    box.scrollTop = box.scrollHeight;
  };

  async function load() {
    const mine = (turn += 1);
    download.href = address(`logs/download?${query()}`);
    try {
      const { entries } = await get(`logs?${query()}`);
      if (mine !== turn) return;
      list.replaceChildren(...entries.map(row));
      say(status, entries.length === 0 ? t.logEmpty : "");
      bottom();
    } catch (problem) {
      const { title, detail } = words(problem);
      say(status, `${title} ${detail}`);
    }
    if (events) listen();
  }

  function listen() {
    events?.close();
    events = listenTo(`logs/follow?${query()}`);
    events.addEventListener("entry", (event) => {
      const near = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
      list.append(row(JSON.parse(event.data)));
      while (list.children.length > MOST) list.firstChild.remove();
      say(status, "");
      if (near) bottom();
    });
  }

  follow.addEventListener("click", () => {
    const wanted = follow.ariaPressed !== "true";
    follow.ariaPressed = String(wanted);
    if (wanted) {
      listen();
    } else {
      events?.close();
      events = null;
    }
  });
  source.addEventListener("change", load);
  level.addEventListener("change", load);
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, TYPED_MS);
  });
  load();
  const labelled = (title, control) => h("label", { class: "row" }, h("span", { class: "soft" }, title), control);
  return {
    root: h("section", { class: "card", "aria-labelledby": "logs" },
      h("div", { class: "row apart" }, h("h2", { id: "logs" }, t.logs), h("div", { class: "row" }, follow, download)),
      h("div", { class: "row" }, labelled(t.logSource, source), labelled(t.logLevel, level), h("div", { class: "grow" }, text)),
      box, status),
    close() {
      clearTimeout(timer);
      events?.close();
    },
  };
}
