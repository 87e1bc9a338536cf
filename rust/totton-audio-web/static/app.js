// The page: live events → what is known → the view that is open.

import { h, say } from "/dom.js";
import { get, send } from "/api.js";
import * as clock from "/clock.js";
import { listen } from "/live.js";
import { hide, words } from "/notice.js";
import { follow, known, tell } from "/state.js";
import { choose, language, texts, translate } from "/texts.js";
import * as listenView from "/listen.js";

const SILENT_DB = -100;

// The first view comes with the page, the others when they are opened.
const VIEWS = {
  listen: () => listenView,
  sound: () => import("/sound.js"),
  spectrum: () => import("/spectrum.js"),
  system: () => import("/system.js"),
  update: () => import("/update.js"),
  check: () => import("/check.js"),
};
// A view that has no place of its own among the views is within another.
const WITHIN = { check: "system" };

const root = document.getElementById("view");
const state = document.getElementById("state");
let open = { close() {} };
let opening = 0;

const wanted = () => {
  const name = location.hash.slice(1).split("/")[0];
  return name in VIEWS ? name : "listen";
};

async function show(focus) {
  const name = wanted();
  const turn = (opening += 1);
  for (const link of document.querySelectorAll("nav [data-view]")) {
    link.ariaCurrent = link.dataset.view === (WITHIN[name] ?? name) ? "page" : null;
    say(link.querySelector("span"), texts().views[link.dataset.view]);
  }
  const view = await VIEWS[name]();
  // Another view was asked for while this one was on its way.
  if (turn !== opening) return;
  open.close();
  const content = h("div", { class: `view ${name}`, test: `view-${name}` });
  open = view.open(content);
  root.replaceChildren(content);
  document.body.dataset.view = name;
  if (focus) {
    root.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  link();
}

/** What is said of the link and the stream, everywhere. */
function link() {
  const status = known.telemetry?.status;
  const now = known.link === "live" ? status.state : known.link;
  // For tests a box that cannot be reached is away, too.
  state.dataset.state = known.link === "offline" ? "away" : now;
  document.body.dataset.link = known.link;
  document.body.dataset.state = now;
  say(state, texts().states[now]?.[0] ?? now);
  document.title = `${state.textContent} · Totton Audio`;
}

function lost(to, reason) {
  known.link = to;
  known.reason = reason;
  link();
  tell("link");
}

function speak() {
  document.documentElement.lang = language();
  translate(document.body);
  document.getElementById("language").value = language();
  const theme = document.getElementById("theme");
  theme.replaceChildren(...Object.entries(texts().themes).map(([value, text]) => h("option", { value }, text)));
  theme.value = document.documentElement.dataset.theme ?? "auto";
  show(false);
}

function paint(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then it is chosen anew next time.
  }
}

try {
  paint(localStorage.getItem("theme") ?? "auto");
} catch {
  // Storage may be forbidden; the system's theme will do.
}
document.getElementById("theme").addEventListener("change", ({ target }) => {
  paint(target.value);
  remember("theme", target.value);
  tell("theme");
});
document.getElementById("language").addEventListener("change", ({ target }) => {
  choose(target.value);
  speak();
});
document.getElementById("dismiss").addEventListener("click", hide);
addEventListener("hashchange", () => show(true));
speak();

let asked = false;

/** Asks for the password, when the box has one and does not know this browser. */
async function unlock() {
  if (asked) return;
  asked = true;
  const session = await get("session").catch(() => null);
  if (!session || session.open) {
    asked = false;
    return;
  }
  lost("locked", null);
  const problem = h("p", { class: "problem", role: "alert" });
  const password = h("input", { type: "password", autocomplete: "current-password", required: true, "aria-label": texts().password, test: "login-password" });
  const form = h("form", {},
    h("h2", { id: "login-title" }, texts().logInTitle), h("p", {}, texts().logInAbout), password, problem,
    h("div", { class: "row end" }, h("button", { class: "primary", test: "login" }, texts().logIn)),
    h("details", {}, h("summary", { test: "forgotten" }, texts().forgotten), texts().forgottenSteps.map((step) => h("p", { class: "soft" }, step))));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "login-title", test: "login-dialog" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await send("POST", "session", { password: password.value });
      dialog.close();
      dialog.remove();
      asked = false;
      known.link = "connecting";
      dispatchEvent(new Event("unlocked"));
      show(false);
    } catch (refused) {
      const { title, detail } = words(refused);
      problem.textContent = `${title} ${detail}`;
      password.select();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
addEventListener("refused", unlock);
unlock();

listen({
  hello(message) {
    // The service was updated: its page, too.
    if (known.version !== null && known.version !== message.version) location.reload();
    known.version = message.version;
    clock.follow(message.unix_time_ms);
    tell("version");
  },
  telemetry(message) {
    const now = performance.now();
    const before = known.link;
    if (before !== "live") known.loudAt = now;
    known.link = "live";
    known.telemetry = message;
    known.knownAt = now;
    if (message.levels.input_peak_dbfs.some((peak) => peak > SILENT_DB)) known.loudAt = now;
    follow(message.status.settings?.revision);
    link();
    if (before !== "live") tell("link");
    tell("telemetry", message);
  },
  away({ reason, action }) {
    lost("away", `${reason.charAt(0).toUpperCase()}${reason.slice(1)}. ${action}`);
  },
  offline() {
    // A locked box is there.
    if (known.link !== "locked") lost("offline", null);
  },
});

// How long ago the shown values were known.
setInterval(() => known.link !== "live" && tell("link"), 1000);
