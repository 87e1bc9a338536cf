// The commands: mute, gain, restart, reload; and what came of them.

const NOTICE_MS = 8000;
// Telemetry on its way may still tell the value from before a command.
const SETTLE_MS = 500;

/** Sends a command; throws the service's problem, or `offline`. */
async function send(method, path, body) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw { type: "offline" };
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw { type: "", title: response.statusText, ...answer };
  return answer;
}

/** The controls of the page. `texts` gives the texts of the language now chosen. */
export class Controls {
  #texts;
  #gain = document.getElementById("gain");
  #gainValue = document.getElementById("gain-value");
  #mute = document.getElementById("mute");
  #buttons = [...document.querySelectorAll("[data-command]")];
  #notice = document.getElementById("notice");
  #noticeTimer = 0;
  #status = null;
  #settled = 0;
  #wanted = null;
  #sending = false;

  constructor(texts) {
    this.#texts = texts;
    this.#gain.addEventListener("input", () => this.#setGain(this.#gain.valueAsNumber));
    this.#mute.addEventListener("click", () => this.#setMute(this.#mute.ariaPressed !== "true"));
    for (const button of this.#buttons) {
      button.addEventListener("click", () => this.#command(button));
    }
    document.getElementById("dismiss").addEventListener("click", () => (this.#notice.hidden = true));
  }

  /** Shows gain and mute of `status`, unless the user is changing them. */
  show(status) {
    this.#status = status;
    if (this.#sending || performance.now() < this.#settled) return;
    this.#gain.value = status.sound.gain_db;
    this.#showGain(status.sound.gain_db);
    this.#showMute(status.sound.mute);
  }

  /** Whether commands can be sent now. */
  enable(enabled) {
    for (const control of [this.#gain, this.#mute, ...this.#buttons]) {
      control.disabled = !enabled || control.ariaBusy === "true";
    }
  }

  #showGain(db) {
    const text = `${db.toFixed(1).replace("-", "−")} dB`;
    this.#gainValue.textContent = text;
    this.#gain.ariaValueText = text;
    this.#gain.style.setProperty("--filled", `${Math.max(0, 100 + (db / 60) * 100)}%`);
  }

  #showMute(mute) {
    this.#mute.ariaPressed = String(mute);
  }

  // While the slider moves only the newest value matters: one request at a time, then the last.
  async #setGain(db) {
    this.#showGain(db);
    this.#wanted = db;
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#wanted !== null) {
        const gain_db = this.#wanted;
        this.#wanted = null;
        await send("PUT", "gain", { gain_db });
      }
      this.#settled = performance.now() + SETTLE_MS;
    } catch (problem) {
      this.#wanted = null;
      this.#failed(problem);
    } finally {
      this.#sending = false;
    }
  }

  async #setMute(mute) {
    this.#showMute(mute);
    this.#settled = performance.now() + SETTLE_MS;
    try {
      await send("PUT", "mute", { mute });
    } catch (problem) {
      this.#failed(problem);
    }
  }

  async #command(button) {
    button.ariaBusy = "true";
    button.disabled = true;
    try {
      await send("POST", button.dataset.command, {});
      this.#say("good", this.#texts().done[button.dataset.command], "");
    } catch (problem) {
      this.#failed(problem);
    } finally {
      button.ariaBusy = "false";
      button.disabled = false;
    }
  }

  #failed(problem) {
    this.#settled = 0;
    if (this.#status) this.show(this.#status);
    const kind = (problem.type ?? "").split(":").pop();
    const [title, action] = this.#texts().problems[kind] ?? [problem.title, problem.action];
    this.#say("bad", title, [problem.detail, action].filter(Boolean).join(" — "));
  }

  #say(kind, title, more) {
    this.#notice.dataset.kind = kind;
    this.#notice.querySelector("strong").textContent = title ?? "";
    this.#notice.querySelector("span").textContent = more;
    this.#notice.hidden = false;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (this.#notice.hidden = true), NOTICE_MS);
  }
}
