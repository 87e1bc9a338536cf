// Backup and restore: a file is shown before it is put in place, and what was left out after.

import { choose, h, say } from "/dom.js";
import { address, upload } from "/api.js";
import * as format from "/format.js";
import { attempt, confirm, good } from "/notice.js";
import { tell } from "/state.js";
import { texts } from "/texts.js";

/** A value of a setting, as people read it. */
function shown(t, value) {
  if (value === null || value === undefined) return t.none;
  if (value === true) return t.on;
  if (value === false) return t.off;
  return typeof value === "object" ? Object.values(value).map((one) => shown(t, one)).join(", ") : String(value);
}

/** What the box says of a file: what it brings, what changes, what goes, what is left out. */
function told(t, report) {
  const part = (title, rows, test) => rows.length > 0 && [h("h3", {}, title), h("ul", { class: "list", test }, rows)];
  return [
    h("p", { test: "restore-counts" }, t.restoreCounts(report.presets, report.equalisers, report.filters)),
    part(t.restoreChanges, report.changes.map(({ key, from, to }) =>
      h("li", {}, h("strong", {}, t.settingNames[key] ?? key), h("span", {}, `${shown(t, from)} → ${shown(t, to)}`))), "restore-changes"),
    part(t.restoreRemoved, report.removed.map(({ part: kind, name }) =>
      h("li", {}, h("strong", {}, name), h("span", {}, t.restoreParts[kind] ?? kind))), "restore-removed"),
    part(t.restoreLeftOut, report.left_out.map(({ part: kind, name, why, detail }) =>
      h("li", {}, h("span", { class: "grow" }, h("strong", {}, `${t.restoreParts[kind] ?? kind}: ${t.settingNames[name] ?? name}`),
        h("span", { class: "soft" }, t.restoreWhy[why] ?? why), h("span", { class: "credit", lang: "en" }, detail)))), "restore-left-out"),
  ];
}

/** The part of the view System. */
export function backupPart(t) {
  const status = h("p", { class: "soft", role: "status", test: "restore-status" });
  const filters = h("input", { type: "checkbox", test: "backup-filters" });
  const download = h("a", { class: "button", href: address("backup"), download: "totton-audio-backup.json", test: "backup" }, t.backupGet);
  filters.addEventListener("change", () => {
    download.href = address(filters.checked ? "backup?filters=true" : "backup");
    download.download = `totton-audio-backup.${filters.checked ? "tar" : "json"}`;
  });
  const restore = h("button", { type: "button", test: "restore" }, t.restoreGet);
  const sent = (path, file) => attempt(() => upload("PUT", path, file, (part) => say(status, `${format.bytes(file.size)}: ${Math.round(part * 100)} %`)));
  restore.addEventListener("click", async () => {
    const file = await choose(".json,.tar,application/json,application/x-tar");
    if (!file) return;
    restore.disabled = true;
    const look = await sent("backup?check=true", file);
    say(status, "");
    if (look && (await confirm(t.restoreAsk, told(t, look), t.apply))) {
      const report = await sent("backup", file);
      say(status, report ? t.restoredWith(report.left_out.length) : "");
      if (report) {
        good(t.restored);
        for (const topic of ["equaliser", "filters"]) tell(topic);
      }
    }
    restore.disabled = false;
  });
  return [
    h("p", { class: "soft" }, t.backupAbout),
    h("label", { class: "row" }, filters, h("span", {}, t.backupFilters)),
    h("div", { class: "row" }, download, restore), status,
  ];
}
