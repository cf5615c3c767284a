// Requests to this server. The token stays in memory and goes to this server only.

let token = "";

/** What the server, or the way to it, says against a request: one line for people. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Use this token from now on. */
export function setToken(text) {
  token = text;
}

/** The token in use, for the WebSocket; empty without one. */
export const currentToken = () => token;

/** The detectors of the server. */
export async function detectors() {
  return JSON.parse(await send("GET", "v1/detectors"));
}

/**
 * The verdict of one detector on a recording.
 *
 * `onSent` is given the share that is sent; `signal` aborts.
 */
export async function judge(recording, detector, { explain = false, onSent, signal } = {}) {
  const query = new URLSearchParams({ detector, ...(explain ? { explain: "1" } : {}) });
  return JSON.parse(await send("POST", `v1/judge?${query}`, { body: recording, onSent, signal }));
}

// XMLHttpRequest, because fetch does not say how much is sent.
function send(method, address, { body, onSent, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    if (body) request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onSent?.(event.loaded / event.total);
    request.upload.onload = () => onSent?.(1);
    request.onload = () =>
      request.status === 200
        ? resolve(request.responseText)
        : reject(new Refusal(request.status, reasonOf(request)));
    request.onerror = () =>
      reject(new Refusal(0, "The server does not answer, or it broke off. Is it still running?"));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function reasonOf(request) {
  try {
    return JSON.parse(request.responseText).error.message;
  } catch {
    return `The server answered with status ${request.status}.`;
  }
}
