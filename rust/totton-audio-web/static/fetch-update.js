// Fetches from an update feed, through this browser, and hands over to the box. What is fetched is
// not believed here: the box verifies it.

import { get, upload } from "/api.js";

const LIST = "releases.signed";
const LARGEST_LIST = 256 * 1024;
const PIECE = 4 * 1024 * 1024;
/** A server that sends nothing for so long has broken off. */
const SILENCE_MS = 30_000;
const TRIES = 8;
const LONGEST_PAUSE_MS = 30_000;

const FEED = { mode: "cors", credentials: "omit", referrerPolicy: "no-referrer" };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks the feed; `headers` may make the browser ask for permission first. */
async function ask(address, file, more) {
  let response;
  try {
    response = await fetch(address + file, { ...FEED, ...more });
  } catch {
    // A browser does not tell why: no network, no such server, or no permission by it.
    throw { type: ":feed-away", detail: address + file };
  }
  if (!response.ok) throw { type: ":feed-answers", detail: `${address}${file}: ${response.status} ${response.statusText}` };
  return response;
}

/** Fetches the feed's list; the box says what is new. */
export async function fetchList(address) {
  const response = await ask(address, LIST, { cache: "no-cache", signal: AbortSignal.timeout(SILENCE_MS) });
  const list = await response.blob().catch(() => Promise.reject({ type: ":feed-away", detail: address + LIST }));
  if (list.size > LARGEST_LIST) throw { type: ":feed-answers", detail: `${LIST}: ${list.size} bytes` };
  return upload("POST", "update/list", list);
}

/** The rest of the bundle from byte `have` on: `{ reader, skip }`, where `skip` bytes are here already. */
async function rest(address, release, have, signal) {
  const more = { cache: "no-store", signal };
  let response = null;
  if (have > 0) {
    // A server that answers no preflight: read from the start, and skip.
    response = await ask(address, release.file, { ...more, headers: { range: `bytes=${have}-` } }).catch(() => null);
  }
  response ??= await ask(address, release.file, more);
  return { reader: response.body.getReader(), skip: response.status === 206 ? 0 : have };
}

/** Hands over what the feed sends, until it ends; how many bytes the box has then. */
async function transfer(address, release, have, progress, stop) {
  const broken = new AbortController();
  stop.addEventListener("abort", () => broken.abort());
  let watch = 0;
  const awake = () => {
    clearTimeout(watch);
    watch = setTimeout(() => broken.abort(), SILENCE_MS);
  };
  awake();
  try {
    let { reader, skip } = await rest(address, release, have, broken.signal);
    let gathered = [];
    let size = 0;
    const hand = async () => {
      clearTimeout(watch);
      const at = have;
      const send = new Blob(gathered);
      [gathered, size] = [[], 0];
      ({ have } = await upload("POST", `update/bundle?sha256=${release.sha256}&at=${at}`, send));
      progress(have);
      awake();
    };
    for (;;) {
      const { done, value } = await reader.read().catch(async () => {
        // What has come so far is not fetched again.
        if (size > 0) await hand();
        throw { type: ":feed-away", detail: address + release.file };
      });
      awake();
      if (value) {
        const part = value.subarray(Math.min(skip, value.length));
        skip -= value.length - part.length;
        gathered.push(part);
        size += part.length;
      }
      if (size >= PIECE || (done && size > 0)) await hand();
      if (done) return have;
      if (have + size > release.bytes) {
        // More than the list says: not this bundle. What fits is not asked for again.
        throw { type: ":feed-answers", detail: `${release.file} is larger than the list says` };
      }
    }
  } finally {
    clearTimeout(watch);
    broken.abort();
  }
}

const again = (problem) => ["offline", ":feed-away"].includes(problem.type) || problem.type?.endsWith(":other-place");

/** How much of the bundle the box has. */
async function known(release) {
  const { list } = await get("update/feed");
  return list?.releases.find((one) => one.sha256 === release.sha256)?.have ?? 0;
}

/** Fetches a release's bundle to the box, from where the last transfer broke off; tries again when it breaks. */
export async function fetchBundle(address, release, progress, stop) {
  let tries = 0;
  let have = await known(release);
  progress(have);
  while (have < release.bytes) {
    const before = have;
    try {
      have = await transfer(address, release, have, progress, stop);
      if (have === before) throw { type: ":feed-answers", detail: `${release.file} is smaller than the list says` };
      tries = 0;
    } catch (problem) {
      if (stop.aborted) throw { type: ":feed-stopped" };
      if (!again(problem) || ++tries > TRIES) throw problem;
      await pause(Math.min(1000 * 2 ** tries, LONGEST_PAUSE_MS));
      const now = await known(release).catch(() => have);
      if (now > before) tries = 0;
      have = now;
    }
  }
}
