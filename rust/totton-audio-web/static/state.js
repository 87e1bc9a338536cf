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
    take(await get("settings"));
  } catch {
    // The next telemetry asks again.
  } finally {
    asking = false;
  }
}

/** Takes the settings that a request was answered with. */
export function take({ settings, revision }) {
  known.settings = settings;
  known.revision = revision;
  tell("settings", settings);
}
