// What the page asks of the server.

const KEY = "seqwise.key";
const MOST_RETRIES = 8;

/** What went wrong, in words for a person. */
export class Problem extends Error {
  constructor(status, detail, { field = null, retryAfter = null } = {}) {
    super(detail);
    this.status = status;
    this.field = field;
    this.retryAfter = retryAfter;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** An address of this server, wherever it is mounted. */
export function address(path) {
  return new URL(path, document.baseURI);
}

export function headers() {
  return key.get() ? { authorization: `Bearer ${key.get()}` } : {};
}

async function problemOf(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    said = {};
  }
  const detail =
    typeof said.detail === "string" ? said.detail : (said.title ?? `The server answered ${response.status}.`);
  const seconds = Number(response.headers.get("retry-after"));
  return new Problem(response.status, detail, {
    field: typeof said.field === "string" ? said.field : null,
    retryAfter: seconds > 0 ? seconds : null,
  });
}

/** Sends a request and returns the response; anything but success is thrown as a `Problem`. */
export async function send(path, { method = "GET", body = null, signal = null, accept = "application/json" } = {}) {
  let response;
  try {
    response = await fetch(address(path), {
      method,
      signal,
      headers: { accept, ...headers(), ...(body === null ? {} : { "content-type": "application/json" }) },
      body: body === null ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server cannot be reached.");
  }
  if (response.status === 401) document.dispatchEvent(new CustomEvent("key-wanted"));
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function ask(path, options = {}) {
  const response = await send(path, options);
  return response.status === 204 ? null : response.json();
}

export function post(path, body, signal = null) {
  return ask(path, { method: "POST", body, signal });
}

/** Like `post`, but waits its turn where the server is busy. */
export async function postPatiently(path, body, signal) {
  for (let tried = 0; ; tried += 1) {
    try {
      return await post(path, body, signal);
    } catch (error) {
      if (error.status !== 429 || tried >= MOST_RETRIES) throw error;
      await pause((error.retryAfter ?? 1) * 1000, signal);
    }
  }
}

export function pause(milliseconds, signal = null) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal?.aborted) {
      stop();
      return;
    }
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      stop();
    });
  });
}

/** Yields server-sent events as {event, data} while they come. */
export async function* events(path, body, signal) {
  const response = await send(path, { method: "POST", body, signal, accept: "text/event-stream" });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, "The connection broke off.");
    }
    if (part.done) return;
    rest = (rest + part.value).replaceAll("\r\n", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const event =
        lines
          .find((line) => line.startsWith("event:"))
          ?.slice(6)
          .trim() ?? "message";
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
      if (data.length) yield { event, data: JSON.parse(data.join("\n")) };
    }
  }
}
