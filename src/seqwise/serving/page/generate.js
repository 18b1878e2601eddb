// A text or a piece that is written while one looks on.

import { events, post } from "./api.js";
import { statusLine } from "./asking.js";
import { button, el, field, newId } from "./dom.js";
import { PianoRoll } from "./pianoroll.js";

const BEAM = 8; // hypotheses of the most probable text
const FOLLOW = 40; // pixels from the end within which the newest line is kept in sight

export function generateView(model, memory) {
  memory.sampling ??= { temperature: 0.8, top_k: "", top_p: "", max_tokens: 200, seed: "", guidance: "" };
  const example = model.example ?? {};
  const takesPrompt = !model.chords;
  const conditions = model.condition === "class" ? model.classes : null;
  const status = statusLine();
  const written = el("span", { class: "written" });
  const given = el("span", { class: "given-text" });
  const paper = el(
    "div",
    {
      class: "paper",
      hidden: Boolean(model.chords),
      tabindex: "0",
      role: "region",
      "aria-label": "Generated text",
      dir: "auto",
    },
    given,
    written,
  );
  const roll = new PianoRoll();
  let controller = null;

  memory.prompt ??= example.prompt ?? "";
  const prompt = takesPrompt
    ? el("textarea", {
        rows: 3,
        spellcheck: "false",
        dir: "auto",
        value: memory.prompt,
        oninput: () => (memory.prompt = prompt.value),
      })
    : null;
  const condition = conditions?.length
    ? el(
        "select",
        {},
        conditions.map((name) => el("option", { value: name }, name)),
        el("option", { value: "" }, "none of them"),
      )
    : Array.isArray(example.condition)
      ? el("input", { type: "text", value: example.condition.join(", ") })
      : null;
  const degrees = el("span", { class: "value", "aria-hidden": "true" });
  const warmth = slider("Temperature", "temperature", 0, 2, 0.05, degrees);
  const topK = box("top_k", { min: 1, step: 1, placeholder: "all" });
  const topP = box("top_p", { min: 0.01, max: 1, step: 0.01, placeholder: "1" });
  const most = box("max_tokens", { min: 1, step: 1, max: 10_000 });
  const guidance =
    model.task === "generate" && !model.chords && model.condition !== "none"
      ? box("guidance", { min: 0, step: 0.5, placeholder: "0" })
      : null;
  const seed = box("seed", { min: 0, step: 1, placeholder: "random" });
  const start = button("Generate", run, { class: "primary" });
  const stop = button("Stop", () => controller?.abort(), { class: "plain", disabled: true });

  function box(name, attributes) {
    const control = el("input", {
      type: "number",
      value: memory.sampling[name],
      oninput: () => (memory.sampling[name] = control.value),
      ...attributes,
    });
    return control;
  }
  function slider(title, name, low, high, step, output) {
    const id = newId("slider");
    const control = el("input", {
      type: "range",
      id,
      min: low,
      max: high,
      step,
      value: memory.sampling[name],
      oninput: show,
    });
    function show() {
      memory.sampling[name] = Number(control.value);
      output.textContent = Number(control.value).toFixed(2);
      control.setAttribute(
        "aria-valuetext",
        Number(control.value) === 0 ? "0, always the most probable" : control.value,
      );
    }
    show();
    return el("div", { class: "field" }, el("label", { for: id }, title, output), control);
  }
  function question() {
    const whole = (name) => (memory.sampling[name] === "" ? {} : { [name]: Number(memory.sampling[name]) });
    const chosen =
      Array.isArray(example.condition) && condition
        ? condition.value
            .split(/[\s,;]+/)
            .filter(Boolean)
            .map(Number)
        : condition?.value || null;
    return {
      model: model.name,
      ...(prompt?.value ? { prompt: prompt.value } : {}),
      ...(condition ? { condition: chosen } : {}),
      temperature: memory.sampling.temperature,
      ...whole("top_k"),
      ...whole("top_p"),
      ...whole("max_tokens"),
      ...(guidance ? whole("guidance") : {}),
      seed: memory.sampling.seed === "" ? Math.floor(Math.random() * 2 ** 31) : Number(memory.sampling.seed),
      stream: true,
    };
  }
  async function run() {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    paper.classList.add("begun");
    given.textContent = prompt?.value ?? "";
    written.textContent = "";
    roll.clear();
    start.disabled = true;
    stop.disabled = false;
    status.say("Writing…");
    const asked = question();
    const begun = performance.now();
    let pieces = 0;
    let reason = "";
    try {
      for await (const { event, data } of events("generate", asked, signal)) {
        if (event === "end") {
          reason = data.reason ?? "";
          break;
        }
        if (event === "error")
          throw Object.assign(new Error(data.detail ?? "The server stopped."), { status: data.status ?? 500 });
        const close = paper.scrollHeight - paper.scrollTop - paper.clientHeight < FOLLOW;
        if (data.chord) roll.add(data.chord);
        else written.append(data.text ?? "");
        if (close) paper.scrollTop = paper.scrollHeight;
        pieces += 1;
      }
      const seconds = (performance.now() - begun) / 1000;
      const why = {
        end: "It came to its end",
        max_tokens: "It has the length that was asked for",
        timeout: "Its time was over",
      };
      status.say(`${why[reason] ?? "Done"}: ${pieces} pieces in ${seconds.toFixed(1)} s, seed ${asked.seed}.`);
    } catch (problem) {
      if (signal.aborted) status.say(`Stopped after ${pieces} pieces.`);
      else status.fail(problem, run);
    } finally {
      start.disabled = false;
      stop.disabled = true;
    }
  }
  async function best() {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    const { model: name, condition: chosen } = question();
    paper.classList.add("begun");
    given.textContent = written.textContent = "";
    try {
      const answer = await post(
        "predict",
        { model: name, ...(chosen === undefined ? {} : { condition: chosen }), beam: BEAM },
        signal,
      );
      written.textContent = answer.text;
      status.say(`The most probable text, found with a beam of ${BEAM}.`);
    } catch (problem) {
      if (!signal.aborted) status.fail(problem, best);
    }
  }
  return {
    element: el(
      "div",
      { class: "pair" },
      el(
        "section",
        { class: "card", "aria-label": "What to generate" },
        prompt && field("Prompt", prompt, "what the text begins with"),
        condition && field("Condition", condition, "what it is to be like"),
        warmth,
        el(
          "div",
          { class: "grid four" },
          field("Top k", topK),
          field("Top p", topP),
          field("At most", most),
          field("Seed", seed),
          guidance && field("Guidance", guidance),
        ),
        el("div", { class: "row" }, start, stop, model.verbs.includes("predict") && button("Most probable", best)),
      ),
      el("section", { class: "card result", "aria-label": "What was generated" }, paper, roll.element, status.element),
    ),
    hidden: () => controller?.abort(),
    closed: () => (controller?.abort(), roll.close()),
  };
}
