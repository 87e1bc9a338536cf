// Presets: everything of the view Sound under a name.

import { h } from "/dom.js";
import { get, send } from "/api.js";
import { attempt, confirm, good } from "/notice.js";
import { follow, known, tell } from "/state.js";
import { texts } from "/texts.js";

export function presetsCard() {
  const t = texts();
  const chips = h("ul", { class: "chips", test: "presets" });

  async function load() {
    const answer = await get("presets").catch(() => null);
    if (!answer) return;
    chips.replaceChildren(...(answer.presets.length === 0
      ? [h("li", { class: "soft" }, t.noPresets)]
      : answer.presets.map(({ id, name }) => h("li", { class: "chip" },
        h("button", { type: "button", onclick: () => apply(id, name) }, name),
        h("button", { type: "button", "aria-label": `${t.remove}: ${name}`, onclick: () => remove(id, name) }, "×")))));
  }

  async function apply(id, name) {
    if (!(await attempt(() => send("POST", `presets/${id}/apply`)))) return;
    good(t.presetApplied(name));
    tell("equaliser");
    tell("filters");
    follow(known.telemetry?.status.settings.revision);
  }

  async function remove(id, name) {
    if (!(await confirm(t.presetRemove(name), t.presetRemoveAbout, t.remove))) return;
    await attempt(() => send("DELETE", `presets/${id}`));
    load();
  }

  function keep() {
    const name = h("input", { type: "text", maxlength: 80, required: true, "aria-label": t.presetName, placeholder: t.presetName, test: "preset-name" });
    const form = h("form", { method: "dialog" }, h("h2", { id: "preset-title" }, t.keepPreset), h("p", { class: "soft" }, t.presetsAbout), name,
      h("div", { class: "row end" }, h("button", { class: "plain", value: "", formnovalidate: true }, t.cancel), h("button", { class: "primary", value: "keep", test: "preset-save" }, t.save)));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "preset-title", test: "preset-dialog" }, form);
    dialog.addEventListener("close", async () => {
      dialog.remove();
      if (dialog.returnValue !== "keep") return;
      await attempt(() => send("POST", "presets", { name: name.value.trim() }), t.presetKept);
      load();
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  load();
  return {
    root: h("section", { class: "card", "aria-labelledby": "presets" },
      h("div", { class: "row apart" }, h("h2", { id: "presets" }, t.presets), h("button", { type: "button", class: "small", test: "preset-keep", onclick: keep }, t.keepPreset)),
      chips),
    close() {},
  };
}
