// A sequence that the server keeps the state of: steps go through a WebSocket, or one by one where there is none.

import { Problem, address, ask, key, post, send } from "./api.js";

const OPENING = 5000; // milliseconds

export class Session {
  constructor(id, socket) {
    Object.assign(this, { id, socket, waiting: [] });
    socket?.addEventListener("message", (event) => this.waiting.shift()?.resolve(JSON.parse(event.data)));
    socket?.addEventListener("close", () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Problem(0, "The connection broke off."));
    });
  }

  static async open(model, state = null) {
    const opened = await post("sessions", { model, ...(state === null ? {} : { state }) });
    return Object.assign(new Session(opened.session, await connect(opened.session)), { steps: opened.steps ?? 0 });
  }

  /** Whether steps go through a WebSocket. */
  get direct() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  async step(input) {
    const path = `sessions/${encodeURIComponent(this.id)}/step`;
    if (!this.direct) return post(path, { input });
    const answer = await new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.send(JSON.stringify({ input }));
    });
    if (answer.error)
      throw new Problem(answer.error.status, answer.error.detail, { field: answer.error.field ?? null });
    return answer;
  }

  /** The state as bytes, from which a session goes on later, here or elsewhere. */
  async state() {
    const response = await send(`sessions/${encodeURIComponent(this.id)}/state`, {
      accept: "application/octet-stream",
    });
    return new Uint8Array(await response.arrayBuffer());
  }

  async close() {
    this.socket?.close();
    try {
      await ask(`sessions/${encodeURIComponent(this.id)}`, { method: "DELETE" });
    } catch {
      // The server forgets a session that nobody uses by itself.
    }
  }
}

function connect(id) {
  const place = address(`sessions/${encodeURIComponent(id)}/stream`);
  place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
  const protocols = key.get() ? ["seqwise", `key.${urlBase64(key.get())}`] : [];
  return new Promise((resolve) => {
    const socket = new WebSocket(place, protocols);
    const timer = setTimeout(() => socket.close(), OPENING);
    socket.addEventListener("open", () => {
      clearTimeout(timer);
      resolve(socket);
    });
    // Without a WebSocket, as behind some proxies, every step is a request of its own.
    socket.addEventListener("error", () => resolve(null));
    socket.addEventListener("close", () => resolve(null));
  });
}

function urlBase64(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
