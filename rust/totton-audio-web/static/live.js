// The live connection: server-sent events that recover by themselves.

import { events } from "/api.js";

// Something comes at least every two seconds, a heartbeat if nothing else.
const SILENCE_MS = 5000;
const CHECK_MS = 1000;

/**
 * Listens until the page is closed. `on` has telemetry(message), away(message),
 * hello(message) and offline(); it is told `offline` once for each break.
 */
export function listen(on) {
  let source = null;
  let heard = 0;
  let offline = false;

  const alive = () => {
    heard = performance.now();
    offline = false;
  };
  const lost = () => {
    if (!offline) on.offline();
    offline = true;
  };
  const open = () => {
    source?.close();
    heard = performance.now();
    source = events("events");
    for (const name of ["hello", "telemetry", "away"]) {
      source.addEventListener(name, (event) => {
        alive();
        on[name](JSON.parse(event.data));
      });
    }
    source.addEventListener("heartbeat", alive);
    source.addEventListener("error", lost);
  };

  open();
  setInterval(() => {
    const silent = performance.now() - heard > SILENCE_MS;
    // A pulled cable says nothing: the silence does. A refusal (503) closes the source for good.
    if (silent) lost();
    if (silent || (source.readyState === EventSource.CLOSED && offline)) open();
  }, CHECK_MS);
  addEventListener("online", open);
  // A box that has just been unlocked refused the stream before.
  addEventListener("unlocked", open);
}
