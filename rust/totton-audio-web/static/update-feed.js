// What is new: the feed's list as the box has verified it, and the way to install a release of it.

import { h, say } from "/dom.js";
import { get, send } from "/api.js";
import { fetchBundle, fetchList } from "/fetch-update.js";
import * as format from "/format.js";
import { attempt, confirm, words } from "/notice.js";
import { language } from "/texts.js";

/** A list that is older than this may be one that somebody holds back. */
const OLD_DAYS = 180;
const DAY_S = 86_400;

const lines = (text) => text.split("\n").filter(Boolean).map((line) => h("p", {}, line));
const day = (seconds) => new Date(seconds * 1000).toLocaleDateString(language(), { dateStyle: "medium" });

/** The owner's choice of feed and channel. */
function settingsPart(t, saved) {
  const address = h("input", { type: "url", id: "feed-address", placeholder: "https://example.org/totton/", autocomplete: "off", spellcheck: "false", test: "feed-address" });
  const channel = h("select", { id: "feed-channel", test: "feed-channel" }, ["stable", "beta"].map((one) => h("option", { value: one }, t.feedChannels[one])));
  const save = h("button", { type: "submit", test: "feed-save" }, t.feedSave);
  let before = null;
  const form = h("form", { class: "controls" },
    h("label", { for: "feed-address" }, t.feedAddress), address, h("p", { class: "soft" }, t.feedAddressAbout),
    h("label", { for: "feed-channel" }, t.feedChannel), channel, h("div", { class: "row" }, save));
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const done = await attempt(() => send("PUT", "update/feed", { address: address.value.trim() || null, channel: channel.value }), t.feedSaved);
    if (!done) return;
    // The browser asks only whom the page was allowed to ask when it was loaded.
    if (done.address !== before) location.reload();
    else saved(done);
  });
  return {
    root: h("details", { test: "feed-settings" }, h("summary", {}, t.feedSettings), form),
    show(state) {
      before = state.address;
      if (form.contains(document.activeElement)) return;
      address.value = state.address ?? "";
      channel.value = state.channel;
    },
  };
}

export function feedCard(t, work) {
  const status = h("p", { role: "status", test: "feed-status" });
  const offer = h("div", { class: "controls", test: "feed-offer" });
  const others = h("details", { test: "feed-others", hidden: true }, h("summary", {}, t.feedOthers), h("ul", { class: "list" }));
  const look = h("button", { type: "button", test: "feed-look", hidden: true }, t.feedLook);
  const stop = h("button", { type: "button", test: "feed-stop", hidden: true }, t.feedStop);
  const quiet = h("input", { type: "checkbox", test: "feed-quiet" });
  let free = false;
  let stopping = new AbortController();
  let state = null;

  async function install(release, back) {
    const about = [
      h("p", {}, back ? t.updateBackAbout : t.feedInstallAbout(format.bytes(release.bytes - release.have))),
      h("label", { class: "check" }, quiet, t.updateQuietAfter),
    ];
    const title = (back ? t.feedBackTo : t.feedInstall)(release.version);
    if (work.busy || !(await confirm(title, about, title))) return;
    const restart = quiet.checked ? "quiet" : "ask";
    stopping = new AbortController();
    await work.run(async () => {
      stop.hidden = false;
      show(state);
      try {
        await fetchBundle(state.address, release, (have) => work.show(t.feedFetching(format.bytes(have), format.bytes(release.bytes)), "", have / release.bytes), stopping.signal);
      } finally {
        stop.hidden = true;
      }
      work.show(t.updatePhases.start, "", 0);
      const done = await send("POST", "update/install", { sha256: release.sha256, go_back: back, restart });
      work.show(t.updatePhases.success, done.words, 1);
    });
    await load(false);
  }

  function button(release) {
    const back = release.verdict === "older";
    const part = release.have / release.bytes;
    const text = (back ? t.feedBackTo : t.feedInstall)(release.version) + (part > 0 ? ` (${t.feedHere(format.percent(part))})` : "");
    return h("button", { type: "button", class: back ? "plain" : "primary", disabled: !free || work.busy, data: { version: release.version },
      onclick: () => install(release, back) }, text);
  }

  function row(release) {
    const takes = ["newer", "older", "same"].includes(release.verdict);
    return h("li", {}, h("div", {}, h("strong", {}, release.version), release.channel === "beta" && ` · ${t.feedBeta}`,
      h("p", { class: "soft" }, t.feedVerdicts[release.verdict]?.(release.from) ?? "")), takes && button(release));
  }

  function shownOffer(release) {
    return [
      h("h3", { test: "feed-version" }, t.feedNew(release.version)),
      h("p", { class: "soft" }, [day(release.published), format.bytes(release.bytes), release.channel === "beta" && t.feedBeta].filter(Boolean).join(" · ")),
      h("div", { class: "told", test: "feed-notes" }, lines(release.notes[language() === "ja" ? "ja" : "en"])),
      h("div", { class: "row" }, button(release)),
    ];
  }

  function show(now) {
    state = now;
    settings.show(now);
    const { address, list, reason } = now;
    look.hidden = !address || Boolean(reason) || work.busy;
    const mine = (list?.releases ?? []).filter((one) => one.verdict !== "other-board");
    const best = mine.find((one) => one.sha256 === list.offer);
    offer.replaceChildren(...(best ? shownOffer(best) : []));
    const rest = mine.filter((one) => one !== best).reverse();
    others.hidden = rest.length === 0;
    others.lastChild.replaceChildren(...rest.map(row));
    if (reason) return say(status, `${t.feedNotHere} ${reason}`);
    if (!address) return say(status, t.feedNone);
    if (!list) return say(status, t.feedNoList);
    const old = Date.now() / 1000 - list.made > OLD_DAYS * DAY_S;
    say(status, (best ? "" : `${t.feedNothing} `) + t.feedMade(day(list.made)) + (old ? ` ${t.feedOld}` : ""));
  }

  /** Loads what the box knows; asks the feed first where `ask` is true. */
  async function load(ask = true) {
    const now = await get("update/feed").catch(() => null);
    if (!now) return;
    show(now);
    if (!ask || !now.address || now.reason || work.busy) return;
    say(status, t.feedLooking);
    try {
      show(await fetchList(now.address));
    } catch (problem) {
      show(now);
      const { title, detail, action } = words(problem);
      say(status, [title, action, detail].filter(Boolean).join(" "));
    }
  }

  const settings = settingsPart(t, (now) => {
    show(now);
    load();
  });
  look.addEventListener("click", () => load());
  stop.addEventListener("click", () => stopping.abort());
  return {
    root: h("section", { class: "card", "aria-labelledby": "feed-title", test: "feed" }, h("h2", { id: "feed-title" }, t.feedTitle),
      h("div", { class: "controls" }, status, offer, h("div", { class: "row" }, look, stop), others, settings.root)),
    load,
    /** Whether the box could take an update now. */
    allow(now) {
      if (free === now) return;
      free = now;
      if (state) show(state);
    },
    close: () => stopping.abort(),
  };
}
