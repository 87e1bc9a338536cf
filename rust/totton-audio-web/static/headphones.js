// Finds a headphone's equaliser in the database on the box.

import { choose, h, say } from "/dom.js";
import { get, send, upload } from "/api.js";
import { attempt, words } from "/notice.js";
import { texts } from "/texts.js";

const TYPED_MS = 200;

/** Opens the search; `use` is given the profile that the user chose. */
export function findHeadphone(use) {
  const t = texts();
  const field = h("input", { type: "search", "aria-label": t.headphonesSearch, placeholder: t.headphonesSearch, autocomplete: "off", maxlength: 200, test: "headphones-search" });
  const said = h("p", { class: "soft", role: "status", test: "headphones-status" });
  const results = h("div", { class: "results", test: "headphones-results" });
  const attribution = h("p", { class: "credit", test: "headphones-attribution" }, t.opra, " github.com/opra-project/OPRA");
  const put = h("button", { type: "button", class: "plain", test: "headphones-upload" }, t.headphonesUpload);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "headphones-title", test: "headphones-dialog" },
    h("h2", { id: "headphones-title" }, t.headphones), h("p", { class: "soft" }, t.headphonesAbout), field, said, results, attribution,
    h("div", { class: "row apart" }, put, h("button", { type: "button", class: "plain", onclick: () => dialog.close(), test: "headphones-close" }, t.close)));

  let turn = 0;
  let timer = 0;

  async function search() {
    const mine = (turn += 1);
    let found;
    try {
      found = await get(`headphones?text=${encodeURIComponent(field.value)}`);
    } catch (problem) {
      const { kind, title, action } = words(problem);
      results.replaceChildren();
      say(said, kind === "no-headphones" ? `${t.headphonesMissing} ${t.headphonesMissingAbout}` : `${title} ${action}`);
      return;
    }
    // A later search may have been answered first.
    if (mine !== turn) return;
    say(said, found.total ? t.headphonesFound(found.headphones.length, found.total) : t.headphonesNone);
    results.replaceChildren(...found.headphones.map((one) =>
      h("button", { type: "button", onclick: () => curves(one) },
        h("span", {}, h("strong", {}, `${one.vendor} ${one.name}`), h("span", { class: "soft" }, [t.forms[one.form], t.curves(one.curves)].filter(Boolean).join(" · "))))));
  }

  async function curves({ id, vendor, name }) {
    turn += 1;
    const answer = await attempt(() => get(`headphones/curves?id=${encodeURIComponent(id)}`));
    if (!answer) return;
    say(said, `${vendor} ${name}: ${t.curves(answer.curves.length)}`);
    results.replaceChildren(...answer.curves.map((curve) =>
      h("button", { type: "button", disabled: !curve.text, onclick: async () => {
        const credit = `${t.by(curve.author)}${curve.details ? `, ${curve.details}` : ""}. OPRA, CC BY-SA 4.0`;
        const profile = await attempt(() => send("POST", "equaliser/parse", { name: `${vendor} ${name}`.slice(0, 80), text: curve.text }));
        if (!profile) return;
        dialog.close();
        use({ ...profile, credit });
      } }, h("span", {}, h("strong", {}, t.by(curve.author)), h("span", { class: "soft", lang: "en" }, [curve.details, curve.problem].filter(Boolean).join(" · "))))));
    results.querySelector("button")?.focus();
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPED_MS);
  });
  put.addEventListener("click", async () => {
    const file = await choose(".jsonl,.gz");
    if (!file) return;
    const answer = await attempt(() => upload("PUT", "headphones/database", file, (part) => say(said, `${Math.round(part * 100)} %`)));
    await search();
    if (answer) say(said, t.headphonesInstalled(answer.curves));
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  search();
}
