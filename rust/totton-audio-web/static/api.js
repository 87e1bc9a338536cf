// The box's HTTP API. Every failure is thrown as the service's problem.

const BASE = "/api/v1/";

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw { type: "offline" };
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && problem.type?.endsWith(":password-needed")) {
    dispatchEvent(new Event("password-needed"));
  }
  throw { type: "", title: response.statusText, status: response.status, ...problem };
}

/** Asks for JSON. */
export async function get(path) {
  return (await answered(fetch(BASE + path))).json();
}

/** Sends JSON with a method, gives JSON. */
export async function send(method, path, body = {}) {
  const response = await answered(
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
      const answer = request.response ?? {};
      if (request.status < 300) resolve(answer);
      else reject({ type: "", title: request.statusText, status: request.status, ...answer });
    };
    request.onerror = () => reject({ type: "offline" });
    request.send(file);
  });
}

/** Where a file is downloaded from. */
export const address = (path) => BASE + path;
