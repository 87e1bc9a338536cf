// The language of the page: the browser's, or the one chosen here.

import en from "/en.js";
import ja from "/ja.js";

const LANGUAGES = { en, ja };
const STORED = "language";

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    // Storage may be forbidden; the browser's language will do.
    return null;
  }
}

function preferred() {
  const chosen = stored();
  if (chosen in LANGUAGES) return chosen;
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);
  return known ?? "en";
}

let current = preferred();

export const language = () => current;

export const texts = () => LANGUAGES[current];

/** Chooses a language and remembers it. */
export function choose(chosen) {
  current = chosen;
  try {
    localStorage.setItem(STORED, chosen);
  } catch {
    // As above: then it is chosen anew next time.
  }
}

/** The fixed texts inside `root`: `data-text` is the content, `data-label` the name. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = texts()[element.dataset.text];
  for (const element of root.querySelectorAll("[data-label]")) element.ariaLabel = texts()[element.dataset.label];
}
