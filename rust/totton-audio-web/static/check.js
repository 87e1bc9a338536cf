// The view Check: what the board has to show, step by step. The box's own words are English.

import { h, say } from "/dom.js";
import { get } from "/api.js";
import { words } from "/notice.js";
import { texts } from "/texts.js";

const line = (term, text) => text && h("p", { class: "credit" }, `${term}: `, h("span", { lang: "en" }, text));

export function open(root) {
  const t = texts();
  const status = h("p", { role: "status", test: "check-status" });
  const model = h("p", { class: "soft", lang: "en", test: "check-model" });
  const again = h("button", { type: "button", test: "check-again" }, t.checkAgain);
  const groups = h("div", { class: "stack", test: "check-groups" });
  let closed = false;

  const step = (one) => h("li", { class: "step", test: `check-${one.id}`, data: { verdict: one.verdict } },
    h("span", { class: `dot ${one.verdict}` }, t.checkVerdicts[one.verdict]),
    h("div", { class: "grow" }, h("strong", { lang: "en" }, one.title),
      h("p", { lang: "en" }, [one.found, one.why].filter(Boolean).join(": ")),
      one.verdict !== "ok" && line(t.checkExpected, one.expected), line(t.checkAction, one.action)));

  function show({ model: name, steps }) {
    const count = (verdict) => steps.filter((one) => one.verdict === verdict).length;
    say(model, name);
    say(status, t.checkCounts(count("ok"), count("warning"), count("failed"), count("not-here")));
    groups.replaceChildren(...[...new Set(steps.map((one) => one.group))].map((group) =>
      h("section", { class: "card", "aria-labelledby": `check-${group}` }, h("h2", { id: `check-${group}` }, t.checkGroups[group] ?? group),
        h("ul", { class: "steps" }, steps.filter((one) => one.group === group).map(step)))));
  }

  async function load() {
    if (again.ariaBusy === "true") return;
    again.ariaBusy = "true";
    say(status, t.checkRuns);
    try {
      const report = await get("check");
      if (!closed) show(report);
    } catch (problem) {
      const { title, detail, action } = words(problem);
      say(status, [title, detail, action].filter(Boolean).join(" "));
    }
    again.ariaBusy = "false";
  }

  again.addEventListener("click", load);
  root.append(h("h1", {}, t.views.check),
    h("section", { class: "card", "aria-label": t.views.check }, h("p", { class: "soft" }, t.checkAbout), model, status,
      h("div", { class: "row" }, again, h("a", { class: "button", href: "#system" }, t.views.system))), groups);
  load();
  return {
    close() {
      closed = true;
    },
  };
}
