// An update as a file: chosen or dropped, sent to the box.

import { choose, h } from "/dom.js";
import { upload } from "/api.js";
import * as format from "/format.js";
import { confirm } from "/notice.js";

export function filePart(t, work) {
  const pick = h("button", { type: "button", class: "primary", test: "update-choose" }, t.updateChoose);
  const check = h("input", { type: "checkbox", test: "update-check" });
  const drop = h("div", { class: "drop", test: "update-drop", hidden: true }, pick, h("p", { class: "soft" }, t.updateDrop), h("label", { class: "check" }, check, t.updateCheck));

  async function give(file, only, back) {
    work.show(t.updateSending, "", 0);
    const done = await upload("POST", `update?check=${only}&go_back=${back}`, file, (part) => work.show(t.updateSending, "", part));
    work.show(only ? t.updateChecked : t.updatePhases.success, done.words, 1);
  }

  async function take(file) {
    if (!file || work.busy) return;
    const only = check.checked;
    if (!only && !(await confirm(t.updateInstall, t.updateFile(file.name, format.bytes(file.size)), t.updateInstall))) return;
    drop.hidden = true;
    await work.run(async () => {
      try {
        await give(file, only, false);
      } catch (problem) {
        const older = problem.type?.endsWith(":older-version");
        if (!older || !(await confirm(t.updateBack, t.updateBackAbout, t.updateBack))) throw problem;
        await give(file, only, true);
      }
    });
  }

  pick.addEventListener("click", async () => take(await choose(".swu")));
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }
  return { root: drop };
}
