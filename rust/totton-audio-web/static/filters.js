// The filter: choose, upload, and see what it does.

import { choose, h, s, say } from "/dom.js";
import { get, send, upload } from "/api.js";
import * as format from "/format.js";
import { attempt, confirm, good, words } from "/notice.js";
import { Frame } from "/plot.js";
import { known, on, take } from "/state.js";
import { texts } from "/texts.js";

const WIDTH = 480;
const HEIGHT = 240;

export function filterCard() {
  const t = texts();
  const select = h("select", { class: "grow", "aria-label": t.filter, test: "filter" });
  const remove = h("button", { type: "button", class: "plain danger", test: "filter-remove", hidden: true }, t.remove);
  const kind = h("div", { class: "segments", role: "group", "aria-label": t.filterPlot });
  const file = h("select", { "aria-label": t.filterFiles(2), test: "filter-file" });
  const plot = s("svg", { class: "plot small", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t.filterPlot, "data-testid": "filter-plot" });
  const facts = h("dl", { class: "facts", test: "filter-facts" });
  const status = h("p", { class: "soft", role: "status" });
  let filters = [];
  let data = null;
  let shown = "passband";
  let turn = 0;

  const KINDS = { passband: t.filterPass, response: t.filterWhole, impulse: t.filterImpulse };
  for (const [name, title] of Object.entries(KINDS)) {
    kind.append(h("button", { type: "button", "aria-pressed": String(name === shown), test: `plot-${name}`, onclick: ({ currentTarget }) => {
      shown = name;
      for (const button of kind.children) button.ariaPressed = String(button === currentTarget);
      draw();
    } }, title));
  }

  /** A line that is as thick as what it stands for: lowest and highest near each point. */
  function band(frame, points) {
    const side = (index) => points.map((point) => [point[0], point[index]]);
    return frame.line(side(2)) + frame.line(side(1).reverse()).replace("M", "L") + "Z";
  }

  function draw() {
    if (!data) return;
    let frame;
    const points = data[shown];
    if (shown === "impulse") {
      const reach = Math.max(...points.map(([time]) => Math.abs(time))) * 1000;
      frame = new Frame({ width: WIDTH, height: HEIGHT, low: -reach, high: reach, bottom: -0.4, top: 1.05, step: 0.2, linear: true });
      const inMs = points.map(([time, low, high]) => [time * 1000, low, high]);
      const ticks = [-1, -0.5, 0, 0.5, 1].map((part) => s("text", { x: frame.x(part * reach), y: HEIGHT - 6, "text-anchor": "middle" }, `${(part * reach).toFixed(2).replace("-", "−")} ms`));
      const lines = [-0.2, 0, 0.5, 1].map((value) => [s("path", { class: value === 0 ? "zero" : "grid", d: `M${frame.left} ${frame.y(value)}H${WIDTH - 8}` }), s("text", { x: frame.left - 6, y: frame.y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"))]).flat();
      plot.replaceChildren(...lines, ...ticks, s("path", { class: "sum", d: band(frame, inMs) }));
    } else {
      const deepest = Math.min(...points.map(([, low]) => low));
      const ripple = Math.max(0.001, ...points.map(([, low, high]) => Math.max(-low, high)));
      const passband = shown === "passband";
      const reach = passband ? 10 ** Math.ceil(Math.log10(ripple * 1.2)) : 0;
      frame = passband
        ? new Frame({ width: WIDTH, height: HEIGHT, low: 0, high: points.at(-1)[0], bottom: -reach, top: reach, step: reach / 2, linear: true, left: 62 })
        : new Frame({ width: WIDTH, height: HEIGHT, low: 0, high: points.at(-1)[0], bottom: Math.max(-240, Math.floor(deepest / 20) * 20), top: 10, step: 40, linear: true });
      const digits = passband ? Math.max(0, -Math.floor(Math.log10(reach / 2))) : 0;
      plot.replaceChildren(...frame.grid((db) => db.toFixed(digits).replace("-", "−")), s("path", { class: "sum", d: band(frame, points) }));
    }
    plot.setAttribute("aria-label", `${KINDS[shown]}: ${facts.textContent}`);
  }

  async function load() {
    const answer = await get("filters").catch(() => null);
    if (!answer) return;
    filters = answer.filters;
    select.replaceChildren(h("option", { value: "" }, t.filterAuto),
      ...filters.map((filter) => h("option", { value: filter.path }, filter.label)));
    select.value = known.settings?.filter ?? "";
    files();
  }

  const current = () => filters.find((filter) => filter.path === select.value) ?? filters.find((filter) => filter.in_use) ?? filters[0];

  function files() {
    const filter = current();
    remove.hidden = !filter?.uploaded || select.value === "";
    remove.disabled = Boolean(filter?.in_use);
    const usable = filter?.files ?? [];
    file.replaceChildren(...usable.map((one) => h("option", { value: one.file }, [one.input_rate && format.rate(one.input_rate), one.ratio && `× ${one.ratio}`, one.taps && t.taps(format.count(one.taps)), one.phase && (t.phases[one.phase] ?? one.phase)].filter(Boolean).join(" · ") || one.file.split("/").pop())));
    file.hidden = usable.length === 0;
    measure();
  }

  async function measure() {
    const mine = (turn += 1);
    data = null;
    if (!file.value) return;
    say(status, t.loading);
    try {
      const answer = await get(`filters/plot?file=${encodeURIComponent(file.value)}`);
      if (mine !== turn) return;
      data = answer;
      say(status, "");
    } catch (problem) {
      say(status, `${t.plotFailed} ${problem.detail ?? ""}`);
      return;
    }
    const fact = (term, value) => h("div", {}, h("dt", {}, term), h("dd", {}, value));
    facts.replaceChildren(
      fact(t.ripple, data.ripple_db < 0.0005 ? "< ± 0.001 dB" : `± ${data.ripple_db.toFixed(3)} dB`),
      data.stopband_db === null ? "" : fact(t.attenuation, `${data.stopband_db.toFixed(0).replace("-", "−")} dB`),
      fact(t.filterDelay, format.milliseconds(data.delay_seconds)));
    draw();
  }

  select.addEventListener("change", async () => {
    files();
    const answer = attempt(() => send("PATCH", "settings", { filter: select.value || null }), t.filterChosen);
    await take(answer);
    if (!(await answer)) select.value = known.settings?.filter ?? "";
  });
  file.addEventListener("change", measure);
  remove.addEventListener("click", async () => {
    const filter = current();
    if (!(await confirm(t.profileRemove(filter.label), t.filterRemoveAbout, t.remove))) return;
    await attempt(() => send("DELETE", "filters", { path: filter.path }));
    load();
  });

  async function put() {
    const chosen = await choose(".filter");
    if (!chosen) return;
    const name = chosen.name.replace(/\.filter$/, "").slice(0, 100) || "filter";
    const sent = (replace) => upload("POST", `filters?name=${encodeURIComponent(name)}&replace=${replace}`, chosen, (part) => say(status, `${Math.round(part * 100)} %`));
    const answer = await attempt(async () => {
      try {
        return await sent(false);
      } catch (problem) {
        if (words(problem).kind !== "filter-exists") throw problem;
        say(status, "");
        return (await confirm(t.filterReplace(name), t.filterReplaceAbout, t.replace)) ? sent(true) : null;
      }
    });
    say(status, "");
    if (answer?.file) good(t.filterUploaded, answer.file);
    load();
  }

  const ends = [on("filters", load), on("settings", () => {
    const wanted = known.settings?.filter ?? "";
    if (select.value !== wanted) load();
  })];
  load();
  return {
    root: h("section", { class: "card", "aria-labelledby": "filter" },
      h("h2", { id: "filter" }, t.filter), h("p", { class: "soft" }, t.filterAbout),
      h("div", { class: "controls" },
        h("div", { class: "row" }, select, remove, h("button", { type: "button", test: "filter-upload", onclick: put }, t.filterUpload)),
        h("div", { class: "row apart" }, kind, file), plot, status, facts)),
    close: () => ends.forEach((end) => end()),
  };
}
