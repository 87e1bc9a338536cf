// Says what came of a request, for eyes and screen readers.

import { h } from "/dom.js";
import { texts } from "/texts.js";

const GOOD_MS = 5000;
const BAD_MS = 12000;

const box = document.getElementById("notice");
let timer = 0;

function show(kind, title, more) {
  box.dataset.kind = kind;
  box.querySelector("strong").textContent = title;
  box.querySelector("span").textContent = more;
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, kind === "bad" ? BAD_MS : GOOD_MS);
}

export function hide() {
  box.hidden = true;
}

/** It was done. */
export const good = (title, more = "") => show("good", title, more);

/** What a problem says in the language now chosen. */
export function words(problem) {
  const kind = (problem.type ?? "").split(":").pop();
  const [title, action] = texts().problems[kind] ?? [problem.title ?? String(problem), problem.action];
  return { kind, title, detail: problem.detail ?? "", action: action ?? "" };
}

/** It was not done; `problem` says why. */
export function bad(problem) {
  const { kind, title, detail, action } = words(problem);
  // The page of the password says it itself.
  if (kind === "password-needed") return;
  show("bad", title, [detail, action].filter(Boolean).join(" — "));
}

/** Runs a request; says what went wrong. Gives its answer, or null. */
export async function attempt(request, done) {
  try {
    const answer = await request();
    if (done) good(done);
    return answer ?? true;
  } catch (problem) {
    bad(problem);
    return null;
  }
}

/** Runs a button's request; the button waits meanwhile. */
export function busy(button, request, done) {
  return async () => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    await attempt(request, done);
    button.ariaBusy = "false";
  };
}

/** Asks before something that cannot be undone; true when the user wants it. */
export function confirm(title, about, action) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "confirm-title", test: "confirm" },
      h("h2", { id: "confirm-title" }, title),
      typeof about === "string" ? h("p", {}, about) : h("div", { class: "told" }, about),
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", class: "plain", onclick: () => dialog.close("no"), test: "confirm-no" }, texts().cancel),
        h("button", { type: "button", class: "primary", onclick: () => dialog.close("yes"), test: "confirm-yes" }, action),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
