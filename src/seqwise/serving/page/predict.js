// The first tab: something is given, and the answer stands beside it while it is typed.

import { Problem, post } from "./api.js";
import { createAnswer } from "./answers.js";
import { Asking, statusLine, waiting } from "./asking.js";
import { el, field } from "./dom.js";
import { createInput } from "./input.js";

const SLOW = new Set(["translate", "transcribe"]); // they search: wait a little longer until typing pauses

/** Numbers that an option may have, from the words that somebody typed; "" is none. */
function numberIn(text, name, low, high, whole = false) {
  if (text.trim() === "") return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value < low || value > high || (whole && !Number.isInteger(value)))
    throw new Problem(422, `a ${whole ? "whole number" : "number"} from ${low} to ${high} is needed`, { field: name });
  return value;
}

/** What can be chosen of each task: controls, and what they say as keys of a request. */
function createOptions(model, changed) {
  const box = (attributes) => el("input", { type: "number", oninput: changed, ...attributes });
  if (model.task === "classify") {
    const floor = box({ min: 0, max: 1, step: 0.05, placeholder: "none" });
    const parts = model.several_labels ? [] : [field("No answer below", floor, "a probability, such as 0.6")];
    const shares =
      model.several_labels || !model.classes || model.classes.length > 12
        ? []
        : model.classes.map((name) => [
            name,
            box({ min: 0, max: 1, step: "any", placeholder: model.priors ? model.priors[name].toFixed(3) : "" }),
          ]);
    if (shares.length)
      parts.push(
        el(
          "fieldset",
          { class: "shares" },
          el("legend", {}, "Share of each class where the answers are used"),
          shares.map(([name, control]) => field(name, control)),
        ),
      );
    return {
      parts,
      value() {
        const below = numberIn(floor.value, "abstain_below", 0, 1);
        const given = shares.map(([name, control]) => [name, numberIn(control.value, `priors.${name}`, 0, 1)]);
        const stated = given.filter(([, share]) => share !== null);
        if (stated.length && stated.length < given.length)
          throw new Problem(422, "a share for every class is needed, or for none", { field: "priors" });
        return {
          ...(below ? { abstain_below: below } : {}),
          ...(stated.length ? { priors: Object.fromEntries(stated) } : {}),
        };
      },
    };
  }
  if (model.task === "translate" || model.task === "transcribe") {
    const beam = box({ min: 1, max: 50, step: 1, placeholder: "as trained" });
    const best = box({ min: 1, max: 10, step: 1, placeholder: "1" });
    const several = model.task === "translate";
    return {
      parts: [field("Beam", beam, "hypotheses kept; 1 is greedy"), several && field("Answers", best)].filter(Boolean),
      value() {
        const width = numberIn(beam.value, "beam", 1, 50, true);
        const count = several ? numberIn(best.value, "n_best", 1, 10, true) : null;
        return { ...(width ? { beam: width } : {}), ...(count ? { n_best: count } : {}) };
      },
    };
  }
  if (model.task === "forecast") {
    const horizon = box({ min: 1, max: 1000, step: 1, placeholder: "as trained" });
    return {
      parts: [field("Steps ahead", horizon)],
      value() {
        const steps = numberIn(horizon.value, "horizon", 1, 1000, true);
        return steps ? { horizon: steps } : {};
      },
    };
  }
  return { parts: [], value: () => ({}) };
}

export function predictView(model, memory) {
  const status = statusLine();
  const answer = createAnswer(model);
  const later = () => asking.later();
  const input = createInput(model, memory, later);
  const options = createOptions(model, later);
  const asking = new Asking({
    question: () => {
      const given = input.value();
      return given && { model: model.name, ...given, ...options.value() };
    },
    ask: (question, signal) => post("predict", question, signal),
    show: answer.show,
    clear: answer.clear,
    status,
    delay: SLOW.has(model.task) ? 400 : 180,
  });
  return {
    element: el(
      "div",
      { class: "pair" },
      el(
        "section",
        { class: "card", "aria-label": "Input" },
        input.element,
        options.parts.length > 0 &&
          el("details", { class: "more" }, el("summary", {}, "Options"), el("div", { class: "grid" }, options.parts)),
      ),
      el(
        "section",
        { class: "card result", "aria-label": "Answer" },
        answer.element,
        waiting("The answer appears here while you type."),
        status.element,
      ),
    ),
    shown() {
      input.shown?.();
      asking.now();
    },
    hidden() {
      input.hidden?.();
      asking.stop();
    },
  };
}
