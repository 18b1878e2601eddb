// An answer while somebody types: asked after a short pause, and only the newest question's answer is shown.

import { pause } from "./api.js";
import { button, el } from "./dom.js";

const PAUSE = 180; // milliseconds without a key
const TRY_AGAIN = 4;

/** The line under an answer: what is going on, or what went wrong. Read out by screen readers, without haste. */
export function statusLine() {
  const heard = el("span", { class: "unseen" });
  const seen = el("span");
  const wrong = el("div", { role: "alert" });
  const element = el("div", { class: "reports" }, el("p", { class: "status", role: "status" }, heard, seen), wrong);
  return {
    element,
    working: () => element.classList.add("working"),
    /** Says a text; where it is already to be seen in the answer, it is only read out, and `shown` is what is added. */
    say(text, shown = null) {
      element.classList.remove("working");
      wrong.replaceChildren();
      heard.textContent = shown === null ? "" : text;
      seen.textContent = shown ?? text;
    },
    fail(problem, again = null) {
      element.classList.remove("working");
      heard.textContent = seen.textContent = "";
      wrong.replaceChildren(problemBox(problem, again));
    },
  };
}

/** What stands where an answer will be. */
export function waiting(text) {
  return el("p", { class: "waiting hint" }, text);
}

/** A problem in words, with a way out where there is one. */
export function problemBox(problem, again = null) {
  const title =
    problem.status === 0
      ? "No connection"
      : { 401: "A key is needed", 413: "Too long", 422: "Not understood", 429: "The server is busy" }[problem.status];
  const heading = title ?? (problem.status >= 500 ? "The server could not answer" : "That did not work");
  return el(
    "div",
    { class: "problem", "data-status": problem.status },
    el("strong", {}, heading),
    el("span", {}, problem.field ? `${problem.field}: ${problem.message}` : problem.message),
    again && button("Try again", again, { class: "plain small" }),
  );
}

/** Asks while the input changes. */
export class Asking {
  /**
   * @param {object} parts
   * @param {() => object|null} parts.question what to ask now; null if there is nothing to ask
   * @param {(question: object, signal: AbortSignal) => Promise<object>} parts.ask
   * @param {(answer: object, question: object) => string} parts.show shows an answer and says it in a sentence
   * @param {() => void} parts.clear shows that there is no answer
   * @param {object} parts.status of `statusLine`
   * @param {number} parts.delay milliseconds
   */
  constructor({ question, ask, show, clear, status, delay = PAUSE }) {
    Object.assign(this, { question, ask, show, clear, status, delay, controller: null, timer: 0 });
  }

  later() {
    this.stop();
    this.timer = setTimeout(() => this.now(), this.delay);
  }

  stop() {
    clearTimeout(this.timer);
    this.controller?.abort();
  }

  async now() {
    this.stop();
    let question;
    try {
      question = this.question();
    } catch (problem) {
      this.clear();
      this.status.fail(problem);
      return;
    }
    if (question === null) {
      this.clear();
      this.status.say("");
      return;
    }
    const controller = new AbortController();
    this.controller = controller;
    this.status.working();
    for (let tried = 1; ; tried += 1) {
      const begun = performance.now();
      try {
        const answer = await this.ask(question, controller.signal);
        if (controller.signal.aborted) return;
        const said = this.show(answer, question);
        this.status.say(said, `answered in ${Math.max(1, Math.round(performance.now() - begun))} ms`);
        return;
      } catch (problem) {
        if (controller.signal.aborted) return;
        if (problem.status === 429 && tried < TRY_AGAIN) {
          try {
            await pause((problem.retryAfter ?? 1) * 1000, controller.signal);
          } catch {
            return; // typed on meanwhile
          }
          continue;
        }
        this.clear();
        if (problem.status === undefined) problem.status = -1;
        this.status.fail(problem, problem.status === 0 || problem.status >= 429 ? () => this.now() : null);
        if (problem.status === -1) throw problem;
        return;
      }
    }
  }
}
