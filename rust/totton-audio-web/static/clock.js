// The box's clock: it has no battery and no network time, so it is set from this computer's.

import { send } from "/api.js";

const RIGHT_MS = 60_000;

/** Sets the box's clock where it is wrong; `theirs` is what it showed just now, in Unix milliseconds. */
export async function follow(theirs) {
  if (Math.abs(Date.now() - theirs) < RIGHT_MS) return;
  // A refusal (a computer whose own clock is wrong) is in the box's log; it stops nobody.
  await send("PUT", "clock", { unix_time_ms: Date.now() }).catch(() => null);
}
