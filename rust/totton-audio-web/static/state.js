// What the page knows, and who wants to hear of it.

import { get } from "/api.js";

/** `link` is connecting, live, away (the daemon), offline (the box) or locked (by its password). */
export const known = {
  link: "connecting",
  reason: null,
  telemetry: null,
  knownAt: 0,
  loudAt: 0,
  version: null,
  settings: null,
  revision: null,
};

const listeners = new Map();

/** Calls `listener` when `topic` changes; gives what ends that. */
export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  return () => listeners.get(topic).delete(listener);
}

export function tell(topic, value) {
  for (const listener of listeners.get(topic) ?? []) listener(value);
}

let asking = false;

/** Keeps the settings as new as their revision in the telemetry. */
export async function follow(revision) {
  if (asking || revision === known.revision) return;
  asking = true;
  try {
    await take(get("settings"));
  } catch {
    // The next telemetry asks again.
  } finally {
    asking = false;
  }
}

// Requests for settings, in the order in which they were sent: how many, and the newest that was answered.
let sent = 0;
let answered = 0;

/** Takes the settings with which a request is answered (a promise; of nothing, if it was refused). What was asked
 *  before something that is answered already is old, and not shown. */
export async function take(answer) {
  const turn = ++sent;
  const told = await answer;
  if (!told || turn < answered) return;
  answered = turn;
  known.settings = told.settings;
  known.revision = told.revision;
  tell("settings", known.settings);
}
