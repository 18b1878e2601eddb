// A sequence step by step: the answer after each, as the server that keeps the state gives it.

import { statusLine } from "./asking.js";
import { Bars } from "./bars.js";
import { button, characters, download, el, field, number, percent } from "./dom.js";
import { kindOf, readNumbers } from "./input.js";
import { linePlot } from "./plot.js";
import { Session } from "./sessions.js";
import { base64 } from "./sound.js";

const MOST_ROWS = 200;
const LINES = 5; // classes with a line in the plot

export function streamView(model, memory) {
  const status = statusLine();
  const bars = new Bars(model.thresholds);
  const label = el("p", { class: "headline" });
  const plot = el("div");
  const rows = el("tbody");
  const counted = el("span", { class: "count" }, "0 steps");
  const frames = ["frames", "series", "sound"].includes(kindOf(model));
  const sure = !["regress", "forecast", "transcribe"].includes(model.task); // whether an answer has a probability
  let session = null;
  let stopped = false;
  let busy = false;
  let history = [];
  let steps = 0;

  const text = el("textarea", {
    rows: 3,
    spellcheck: "false",
    autocapitalize: "off",
    dir: "auto",
    value: memory.stream ?? (frames ? firstFrames() : (memory.text ?? model.example?.text ?? "")),
    oninput: () => (memory.stream = text.value),
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !frames) {
        event.preventDefault();
        feed(false);
      }
    },
  });
  const one = button("Feed one step", () => feed(true), { class: "primary" });
  const all = button("Feed all", () => feed(false), { class: "plain" });
  const halt = button("Stop", () => (stopped = true), { class: "plain", disabled: true });
  const chooser = el("input", { type: "file", onchange: () => restore(chooser.files[0]) });

  function firstFrames() {
    const given = model.example?.frames ?? model.example?.series ?? [];
    return given
      .slice(0, 20)
      .map((row) =>
        [row]
          .flat()
          .map((value) => Number(value).toPrecision(4))
          .join(", "),
      )
      .join("\n");
  }
  /** The steps that the text box holds, and the text that is left when the first of them is taken. */
  function pieces() {
    if (frames) {
      const lines = text.value.split("\n").filter((line) => line.trim());
      return lines.map((line) => ({ input: [readNumbers(line)].flat(2), shown: line.trim() }));
    }
    const cut =
      model.unit === "characters" || model.unit === "bytes"
        ? characters(text.value)
        : (text.value.match(/\S+\s*/g) ?? []);
    return cut.map((piece) => ({
      input: model.unit === "characters" || model.unit === "bytes" ? piece : piece.trim(),
      shown: piece,
    }));
  }
  async function ready() {
    session ??= await Session.open(model.name);
    return session;
  }
  async function feed(single) {
    if (busy) return;
    busy = true;
    stopped = false;
    halt.disabled = false;
    try {
      let list = pieces();
      if (single) list = list.slice(0, 1);
      const open = await ready();
      for (const piece of list) {
        if (stopped) break;
        const begun = performance.now();
        const answer = await open.step(piece.input);
        took(piece, answer, performance.now() - begun);
        text.value = frames
          ? text.value
              .split("\n")
              .filter((line) => line.trim())
              .slice(1)
              .join("\n")
          : text.value.slice(piece.shown.length);
        memory.stream = text.value;
      }
      if (!list.length) status.say("Type what comes next.");
    } catch (problem) {
      if (problem.status === undefined) problem.status = -1;
      if (problem.status === 404) session = null;
      status.fail(
        problem.status === 404
          ? Object.assign(problem, { message: "The server has forgotten this session; start over." })
          : problem,
      );
    } finally {
      busy = false;
      halt.disabled = true;
    }
  }
  function took(piece, answer, milliseconds) {
    steps = answer.steps ?? steps + 1;
    counted.textContent = `${steps} step${steps === 1 ? "" : "s"}`;
    const said = summary(answer);
    rows.prepend(
      el(
        "tr",
        {},
        el("td", {}, String(steps)),
        el("td", { class: "piece", dir: "auto" }, cut(piece.shown)),
        el("td", { dir: "auto" }, said.name),
        sure && el("td", { class: "number" }, said.value),
      ),
    );
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
    label.replaceChildren(
      said.next ? el("span", { class: "sure" }, "next") : "",
      el("span", { class: "label-said", dir: "auto" }, said.name),
      el("span", { class: "sure" }, said.value),
    );
    if (said.shares) bars.show(said.shares, said.next ? new Set() : new Set([said.name]));
    if (said.lines) {
      history.push(said.lines);
      draw();
    }
    const way = session?.direct ? "WebSocket" : "HTTP";
    status.say(
      `Step ${steps}: ${said.name} ${said.value}.`,
      `answered in ${Math.max(1, Math.round(milliseconds))} ms by ${way}`,
    );
  }
  function draw() {
    if (history.length < 2) return;
    const order = Object.entries(history.at(-1));
    const shares = model.task === "classify" || model.task === "tag";
    if (shares) order.sort((a, b) => b[1] - a[1]);
    const lines = order.slice(0, LINES).map(([name]) => ({ name, values: history.map((of) => of[name]) }));
    const label = `${shares ? "Probabilities" : "Numbers"} over ${history.length} steps`;
    plot.replaceChildren(linePlot(lines, { height: 180, bounds: shares ? [0, 1] : null, legend: true, label }));
  }
  async function restart() {
    const old = session;
    session = null;
    steps = 0;
    history = [];
    rows.replaceChildren();
    plot.replaceChildren();
    label.replaceChildren();
    bars.clear();
    counted.textContent = "0 steps";
    status.say("A new session begins with the next step.");
    await old?.close();
  }
  async function save() {
    try {
      const open = await ready();
      download(`${model.name}-${steps}-steps.safetensors`, [await open.state()], "application/octet-stream");
      status.say("The state is saved.");
    } catch (problem) {
      status.fail(problem);
    }
  }
  async function restore(file) {
    if (!file) return;
    try {
      const state = base64(new Uint8Array(await file.arrayBuffer()));
      await restart();
      session = await Session.open(model.name, state);
      steps = session.steps;
      counted.textContent = `${steps} steps`;
      status.say(`The session goes on after ${steps} steps.`);
    } catch (problem) {
      status.fail(problem);
    }
  }

  return {
    element: el(
      "div",
      { class: "pair" },
      el(
        "section",
        { class: "card", "aria-label": "Steps to feed" },
        field(
          frames ? "Steps, one a line" : "What comes next",
          text,
          frames
            ? "numbers with commas between"
            : model.unit === "characters"
              ? "fed letter by letter"
              : "fed word by word; Enter feeds all",
        ),
        el("div", { class: "row" }, one, all, halt),
        el(
          "div",
          { class: "row under" },
          button("Start over", restart, { class: "quiet small" }),
          button("Save the state", save, { class: "quiet small" }),
          el("label", { class: "quiet small file" }, chooser, "Load a state"),
          counted,
        ),
      ),
      el(
        "section",
        { class: "card result", "aria-label": "Answer so far" },
        label,
        bars.element,
        plot,
        el(
          "div",
          { class: "scroller short steps", tabindex: "0", role: "region", "aria-label": "Steps" },
          el(
            "table",
            {},
            el("caption", { class: "unseen" }, "Steps, the newest first"),
            el(
              "thead",
              {},
              el(
                "tr",
                {},
                ["Step", "Given", "Answer"].map((name) => el("th", { scope: "col" }, name)),
                sure && el("th", { scope: "col", class: "number" }, "Probability"),
              ),
            ),
            rows,
          ),
        ),
        status.element,
      ),
    ),
    hidden: () => (stopped = true),
    closed: () => session?.close(),
  };
}

function cut(text) {
  return text.length > 42 ? `${text.slice(0, 41)}…` : text;
}

/**
 * The answer of a step: {name, value, shares, lines, next}: `shares` are shown as bars, `lines` are drawn over the steps,
 * `next` says that the answer is about what comes.
 */
function summary(answer) {
  if (answer.next) {
    const shares = Object.fromEntries(answer.next.map((of) => [of.token, of.probability]));
    const [name, share] = Object.entries(shares)[0];
    return { name, value: percent(share), shares, lines: null, next: true };
  }
  if (answer.probabilities) {
    const name = answer.tag ?? (answer.labels ? answer.labels.join(", ") || "no label" : (answer.label ?? "no answer"));
    return { name, value: percent(answer.probability), shares: answer.probabilities, lines: answer.probabilities };
  }
  const values = answer.values ?? answer.forecast;
  if (values) return { name: Object.values(values).map(number).join(", "), value: "", shares: null, lines: values };
  return { name: answer.text ?? "", value: "", shares: null, lines: null };
}
