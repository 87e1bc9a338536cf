// The equaliser: a curve to drag, a table to type in, A and B, bypass, kept profiles, texts.

import { choose, h, s, save, say } from "/dom.js";
import { get, send } from "/api.js";
import { SHAPES, bandGain, frequencies, gainOf, highest } from "/bands.js";
import * as format from "/format.js";
import { findHeadphone } from "/headphones.js";
import { attempt, bad, busy, confirm, good } from "/notice.js";
import { Frame } from "/plot.js";
import { on } from "/state.js";
import { texts } from "/texts.js";

const LOW = 20;
const HIGH = 20000;
const POINTS = 260;
const MEASURE_AFTER_MS = 500;
const LIMITS = { frequency_hz: [10, 22000], gain_db: [-24, 24], q: [0.1, 20] };

const within = (key, value) => Math.min(LIMITS[key][1], Math.max(LIMITS[key][0], value));
const flat = () => ({ name: texts().eqFlat, preamp_db: 0, bands: [], curves: [], credit: null });
const copy = (profile) => structuredClone(profile);

export function equaliserCard() {
  const t = texts();
  let ab = { side: "a", bypass: false, a: flat(), b: flat() };
  let chosen = 0;
  let measured = null;
  let measuring = 0;
  let sending = false;
  let again = false;
  let kept = [];
  const profile = () => ab[ab.side];

  const plot = s("svg", { class: "plot", role: "group", "aria-label": t.response, "data-testid": "eq-plot" });
  const legend = h("p", { class: "legend" }, h("span", {}, h("i", {}), t.intended), h("span", {}, h("i", { class: "real" }), t.measured));
  const about = h("p", { class: "unseen", test: "eq-range" });
  const title = h("input", { type: "text", maxlength: 80, "aria-label": t.eqName, test: "eq-name" });
  const credit = h("p", { class: "credit", lang: "en", hidden: true });
  const preamp = h("input", { type: "number", min: -60, max: 24, step: 0.1, test: "eq-preamp" });
  const table = h("tbody", { test: "eq-bands" });
  const none = h("p", { class: "soft" }, t.noBands);
  const list = h("ul", { class: "list", test: "eq-kept" });
  const sides = { a: h("button", { type: "button", test: "eq-a", "aria-pressed": "true" }, t.sideA), b: h("button", { type: "button", test: "eq-b", "aria-pressed": "false" }, t.sideB) };
  const bypass = h("button", { type: "button", test: "eq-bypass", "aria-pressed": "false" }, t.bypass);
  const preparing = h("p", { class: "soft", role: "status", test: "eq-preparing" });

  let frame;
  let line;
  let area;
  let real;
  let singles = [];
  let points = [];

  // While something is on its way only the newest state matters.
  async function commit() {
    measure();
    if (sending) {
      again = true;
      return;
    }
    sending = true;
    try {
      do {
        again = false;
        await send("PUT", "equaliser", ab);
      } while (again);
    } catch (problem) {
      bad(problem);
      load();
    } finally {
      sending = false;
    }
  }

  function measure() {
    clearTimeout(measuring);
    measured = null;
    measuring = setTimeout(async () => {
      const asked = profile();
      try {
        const answer = await send("POST", "equaliser/measure", asked);
        if (asked === profile()) {
          measured = answer.points;
          draw();
        }
      } catch {
        // The curve that is set stays; the measured one is drawn when the box answers.
      }
    }, MEASURE_AFTER_MS);
  }

  function build() {
    const width = Math.max(320, plot.clientWidth || plot.parentNode?.clientWidth || 800);
    const height = width < 600 ? 260 : 340;
    const tallest = Math.max(12, ...profile().bands.map((band) => Math.abs(band.gain_db)), ...frequencies(LOW, HIGH, 60).map((hz) => Math.abs(gainOf(profile(), hz))));
    const reach = tallest > 18 ? 30 : tallest > 12 ? 18 : 12;
    frame = new Frame({ width, height, low: LOW, high: HIGH, bottom: -reach, top: reach, step: reach > 18 ? 10 : reach > 12 ? 6 : 3 });
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    line = s("path", { class: "sum" });
    area = s("path", { class: "area" });
    real = s("path", { class: "real" });
    singles = profile().bands.map(() => s("path", { class: "one" }));
    points = profile().bands.map((band, index) => point(index));
    plot.replaceChildren(...frame.grid(), ...singles, area, line, real, ...points);
    draw();
  }

  function draw() {
    const grid = frequencies(LOW, HIGH, POINTS);
    const all = grid.map((hz) => [hz, gainOf(profile(), hz)]);
    line.setAttribute("d", frame.line(all));
    area.setAttribute("d", `${frame.line(all)}L${frame.x(HIGH)} ${frame.y(0)}L${frame.x(LOW)} ${frame.y(0)}Z`);
    real.setAttribute("d", measured ? frame.line(measured.filter(([hz]) => hz >= LOW && hz <= HIGH)) : "");
    singles.forEach((single, index) => single.setAttribute("d", index === chosen ? frame.line(grid.map((hz) => [hz, bandGain(profile().bands[index], hz)])) : ""));
    points.forEach((node, index) => {
      const band = profile().bands[index];
      const gain = SHAPES[band.shape] ? band.gain_db : 0;
      node.setAttribute("transform", `translate(${frame.x(within("frequency_hz", band.frequency_hz)).toFixed(1)} ${frame.y(Math.max(frame.bottom, Math.min(frame.top, gain))).toFixed(1)})`);
      node.classList.toggle("chosen", index === chosen);
      node.classList.toggle("off", !band.on);
      node.setAttribute("aria-valuenow", band.gain_db);
      node.setAttribute("aria-valuetext", `${format.frequency(band.frequency_hz)}, ${format.gain(band.gain_db)}, Q ${band.q}`);
    });
    const levels = all.map(([, db]) => db);
    say(about, t.responseAbout(format.decibels(Math.min(...levels)), format.decibels(Math.max(...levels))));
  }

  function point(index) {
    const node = s("g", { class: "point", tabindex: 0, role: "slider", "aria-label": t.band(index + 1), "aria-valuemin": LIMITS.gain_db[0], "aria-valuemax": LIMITS.gain_db[1], "data-testid": `eq-point-${index + 1}` },
      s("title", {}, t.pointKeys), s("circle", { r: 20, fill: "transparent", stroke: "none", class: "reach" }), s("circle", { r: 11 }), s("text", { y: 4 }, String(index + 1)));
    node.firstChild.nextSibling.style.fill = "transparent";
    node.firstChild.nextSibling.style.stroke = "none";
    const band = () => profile().bands[index];
    const place = (event) => {
      const matrix = plot.getScreenCTM().inverse();
      return new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    };
    node.addEventListener("pointerdown", (event) => {
      node.setPointerCapture(event.pointerId);
      select(index);
      node.focus();
      event.preventDefault();
    });
    node.addEventListener("pointermove", (event) => {
      if (!node.hasPointerCapture(event.pointerId)) return;
      const { x, y } = place(event);
      move(band(), frame.hz(x), SHAPES[band().shape] ? frame.db(y) : band().gain_db);
    });
    const release = (event) => {
      if (node.hasPointerCapture(event.pointerId)) node.releasePointerCapture(event.pointerId);
      commit();
    };
    node.addEventListener("pointerup", release);
    node.addEventListener("pointercancel", release);
    node.addEventListener("wheel", (event) => {
      if (document.activeElement !== node) return;
      event.preventDefault();
      set(band(), "q", band().q * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
      commit();
    }, { passive: false });
    node.addEventListener("focus", () => select(index));
    node.addEventListener("keydown", (event) => {
      const fine = event.shiftKey ? 0.1 : 0.5;
      const step = event.shiftKey ? 2 ** (1 / 48) : 2 ** (1 / 12);
      const { frequency_hz: hz, gain_db: db, q } = band();
      const keys = {
        ArrowLeft: () => move(band(), hz / step, db), ArrowRight: () => move(band(), hz * step, db),
        ArrowUp: () => move(band(), hz, db + fine), ArrowDown: () => move(band(), hz, db - fine),
        PageUp: () => set(band(), "q", q * 1.1), PageDown: () => set(band(), "q", q / 1.1),
        Delete: () => remove(index),
      };
      if (!(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
      commit();
    });
    return node;
  }

  function set(band, key, value) {
    const digits = { frequency_hz: value < 1000 ? 1 : 0, gain_db: 1, q: 2 }[key];
    band[key] = Number(within(key, value).toFixed(digits));
    draw();
    fields();
  }

  function move(band, hz, db) {
    set(band, "frequency_hz", hz);
    set(band, "gain_db", db);
  }

  function select(index) {
    chosen = index;
    draw();
    [...table.rows].forEach((row, at) => row.classList.toggle("chosen", at === chosen));
  }

  function remove(index) {
    profile().bands.splice(index, 1);
    chosen = Math.max(0, Math.min(chosen, profile().bands.length - 1));
    show();
  }

  function row(index) {
    const band = profile().bands[index];
    const name = t.band(index + 1);
    const value = (key, step) => h("label", { class: "inline" }, h("span", {}, h("span", { class: "unseen" }, `${name}: `), { frequency_hz: "Hz", gain_db: "dB", q: "Q" }[key]),
      h("input", { type: "number", min: LIMITS[key][0], max: LIMITS[key][1], step, data: { key }, test: `eq-${key}-${index + 1}`, onchange: ({ target }) => {
        if (Number.isFinite(target.valueAsNumber)) set(profile().bands[index], key, target.valueAsNumber);
        fields();
        commit();
      } }));
    return h("tr", { onfocusin: () => index !== chosen && select(index) },
      h("td", {}, h("input", { type: "checkbox", checked: band.on, "aria-label": `${name}: ${t.bandOn}`, onchange: ({ target }) => {
        profile().bands[index].on = target.checked;
        draw();
        commit();
      } })),
      h("td", {}, h("select", { "aria-label": `${name}: ${t.shape}`, test: `eq-shape-${index + 1}`, onchange: ({ target }) => {
        profile().bands[index].shape = target.value;
        draw();
        fields();
        commit();
      } }, Object.keys(SHAPES).map((shape) => h("option", { value: shape, selected: shape === band.shape }, t.shapes[shape])))),
      h("td", {}, value("frequency_hz", "any")), h("td", {}, value("gain_db", 0.1)), h("td", {}, value("q", 0.01)),
      h("td", {}, h("button", { type: "button", class: "small plain", "aria-label": `${name}: ${t.remove}`, test: `eq-remove-${index + 1}`, onclick: () => {
        remove(index);
        commit();
      } }, "×")));
  }

  /** The numbers of the table; not the field that is typed in. */
  function fields() {
    [...table.rows].forEach((line, index) => {
      const band = profile().bands[index];
      for (const input of line.querySelectorAll("[data-key]")) {
        if (input !== document.activeElement || Number(input.value) !== band[input.dataset.key]) input.value = band[input.dataset.key];
        if (input.dataset.key === "gain_db") input.disabled = !SHAPES[band.shape];
      }
    });
    if (preamp !== document.activeElement) preamp.value = profile().preamp_db;
  }

  function show() {
    sides.a.ariaPressed = String(ab.side === "a");
    sides.b.ariaPressed = String(ab.side === "b");
    bypass.ariaPressed = String(ab.bypass);
    root.classList.toggle("bypassed", ab.bypass);
    if (title !== document.activeElement) title.value = profile().name;
    say(credit, profile().credit ?? "");
    credit.hidden = !profile().credit;
    other.textContent = t.copyToOther(ab.side === "a" ? t.sideB : t.sideA);
    table.replaceChildren(...profile().bands.map((band, index) => row(index)),
      ...profile().curves.map((curve) => h("tr", {}, h("td", {}), h("td", { colspan: 4, class: "soft" }, `${t.curve}: ${t.curvePoints(curve.points.length)}`), h("td", {}, h("button", { type: "button", class: "small plain", "aria-label": `${t.curve}: ${t.remove}`, onclick: () => {
        profile().curves = profile().curves.filter((one) => one !== curve);
        show();
        commit();
      } }, "×")))));
    none.hidden = profile().bands.length + profile().curves.length > 0;
    build();
    fields();
    select(chosen);
  }

  function use(next, said) {
    ab[ab.side] = next;
    ab.bypass = false;
    chosen = 0;
    show();
    commit();
    if (said) good(said);
  }

  async function load() {
    const answer = await get("equaliser").catch(() => null);
    if (!answer) return;
    ab = { side: answer.side, bypass: answer.bypass, a: answer.a ?? flat(), b: answer.b ?? flat() };
    show();
    measure();
  }

  async function loadKept() {
    const answer = await get("equalisers").catch(() => null);
    if (!answer) return;
    kept = answer.equalisers;
    list.replaceChildren(...(kept.length === 0 ? [h("li", { class: "soft" }, t.noProfiles)] : kept.map(({ id, name, credit }) =>
      h("li", {}, h("span", { class: "grow" }, h("strong", {}, name), h("span", { class: "credit", lang: "en" }, credit ?? "")),
        h("button", { type: "button", class: "small", onclick: async () => {
          const answer = await attempt(() => get(`equalisers/${id}`));
          if (answer) use(answer.profile, t.imported(name));
        } }, t.use),
        h("button", { type: "button", class: "small plain", "aria-label": `${t.remove}: ${name}`, onclick: async () => {
          if (!(await confirm(t.profileRemove(name), t.profileRemoveAbout, t.remove))) return;
          await attempt(() => send("DELETE", `equalisers/${id}`));
          loadKept();
        } }, "×")))));
  }

  title.addEventListener("change", () => {
    profile().name = title.value.trim() || t.eqUntitled;
    commit();
  });
  preamp.addEventListener("change", () => {
    if (Number.isFinite(preamp.valueAsNumber)) profile().preamp_db = Number(Math.min(24, Math.max(-60, preamp.valueAsNumber)).toFixed(1));
    draw();
    commit();
  });
  for (const side of ["a", "b"]) {
    sides[side].addEventListener("click", () => {
      ab.side = side;
      chosen = 0;
      show();
      commit();
    });
  }
  bypass.addEventListener("click", () => {
    ab.bypass = !ab.bypass;
    show();
    commit();
  });
  const other = h("button", { type: "button", class: "small plain", test: "eq-copy", onclick: () => {
    const to = ab.side === "a" ? "b" : "a";
    ab[to] = copy(profile());
    commit();
    good(t.copyToOther(to.toUpperCase()));
  } });

  async function importText() {
    const file = await choose(".txt,text/plain");
    if (!file) return;
    const name = file.name.replace(/\.[^.]*$/, "").slice(0, 80);
    const parsed = await attempt(async () => send("POST", "equaliser/parse", { name, text: await file.text() }));
    if (parsed) use(parsed, t.imported(parsed.name));
  }

  async function exportText() {
    const answer = await attempt(() => send("POST", "equaliser/text", profile()));
    if (answer) save(`${profile().name.replace(/[^\p{L}\p{N} ()-]+/gu, " ").trim() || "equaliser"}.txt`, answer.text);
  }

  const keepNew = h("button", { type: "button", class: "small", test: "eq-keep" }, t.keepAs);
  keepNew.addEventListener("click", busy(keepNew, async () => {
    await send("POST", "equalisers", profile());
    await loadKept();
  }, t.kept));
  const keep = h("button", { type: "button", class: "small", test: "eq-keep-over" }, t.keep);
  keep.addEventListener("click", busy(keep, async () => {
    const same = kept.find(({ name }) => name === profile().name);
    await (same ? send("PUT", `equalisers/${same.id}`, profile()) : send("POST", "equalisers", profile()));
    await loadKept();
  }, t.kept));

  const head = (text) => h("th", { scope: "col" }, text);
  const root = h("section", { class: "card equaliser", "aria-labelledby": "equaliser" },
    h("div", { class: "row apart" },
      h("h2", { id: "equaliser" }, t.equaliser),
      h("div", { class: "row" }, h("div", { class: "segments", role: "group", "aria-label": t.side }, sides.a, sides.b), other, bypass)),
    h("p", { class: "soft" }, t.eqAbout),
    h("div", { class: "row named" }, h("label", { class: "field grow" }, h("span", {}, t.eqName), title),
      h("label", { class: "field" }, h("span", {}, `${t.preamp} (dB)`), preamp),
      h("button", { type: "button", title: t.preampAutoAbout, test: "eq-fit", onclick: () => {
        profile().preamp_db = -Math.max(0, Math.ceil(highest(profile()) * 10) / 10) || 0;
        show();
        commit();
      } }, t.preampAuto)),
    credit, h("div", { class: "controls" }, plot, about, legend, preparing),
    h("table", { class: "bands" }, h("caption", { class: "unseen" }, t.bands), h("thead", {}, h("tr", {}, head(t.bandOn), head(t.shape), head(`${t.frequency} (Hz)`), head(`${t.gainOf} (dB)`), head(t.q), h("th", {}, h("span", { class: "unseen" }, t.remove)))), table),
    none,
    h("div", { class: "row apart controls-row" },
      h("button", { type: "button", test: "eq-add", onclick: () => {
        profile().bands.push({ shape: "peaking", frequency_hz: 1000, gain_db: 0, q: 1, on: true });
        chosen = profile().bands.length - 1;
        if (profile().name === t.eqFlat) profile().name = t.eqUntitled;
        show();
        commit();
      } }, `+ ${t.addBand}`),
      h("div", { class: "row" }, h("button", { type: "button", test: "eq-headphones", onclick: () => findHeadphone((found) => use(found, t.imported(found.name))) }, t.headphonesFind),
        h("button", { type: "button", title: t.importAbout, test: "eq-import", onclick: importText }, t.importText),
        h("button", { type: "button", test: "eq-export", onclick: exportText }, t.exportText))),
    h("h3", {}, t.profiles), list, h("div", { class: "row" }, keep, keepNew));

  const ends = [
    on("telemetry", ({ status }) => {
      const what = status.engine?.preparing;
      say(preparing, what ? `${t.preparing} ${what}` : "");
    }),
    on("equaliser", load),
  ];
  const resized = new ResizeObserver(() => build());
  show();
  load();
  loadKept();
  return {
    root,
    opened: () => resized.observe(plot.parentNode),
    close() {
      clearTimeout(measuring);
      resized.disconnect();
      ends.forEach((end) => end());
    },
  };
}
