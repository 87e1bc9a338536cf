// The box's HTTP API. Every failure is thrown as the service's problem.

const BASE = "/api/v1/";

/** Whether the password is missing is asked of the box (app.js), wherever a request was refused. */
export const refused = () => dispatchEvent(new Event("refused"));

/** What a refusal says; tells when it may be for want of the password. */
function problemOf(status, title, problem) {
  if (status === 401 && problem?.type?.endsWith(":password-needed")) refused();
  return { type: "", title, status, ...problem };
}

/** The answer to `ask()`, which is asked again where the page's cookie was missing: the refusal brings it. */
async function answered(ask, again = true) {
  let response;
  try {
    response = await ask();
  } catch {
    throw { type: "offline" };
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (again && problem.type?.endsWith(":page-needed")) return answered(ask, false);
  throw problemOf(response.status, response.statusText, problem);
}

/** Asks for JSON. */
export async function get(path) {
  return (await answered(() => fetch(BASE + path))).json();
}

/** Sends JSON with a method, gives JSON. */
export async function send(method, path, body = {}) {
  const response = await answered(() =>
    fetch(BASE + path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  );
  return response.json();
}

/** Sends a file; `progress` is told how much of it is sent, 0 to 1. */
export function upload(method, path, file, progress = () => {}) {
  // fetch() tells nothing of how much is sent.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, BASE + path);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(request.response ?? {});
      else reject(problemOf(request.status, request.statusText, request.response));
    };
    request.onerror = () => reject({ type: "offline" });
    request.send(file);
  });
}

/**
 * Server-sent events. A refusal closes the source for good and does not tell its
 * status; the box is asked whether it was for want of the password.
 */
export function events(path) {
  const source = new EventSource(BASE + path);
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && refused());
  return source;
}

/** Where a file is downloaded from. */
export const address = (path) => BASE + path;
