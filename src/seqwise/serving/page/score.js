// How probable a text is, and which of its symbols are a surprise.

import { post } from "./api.js";
import { Asking, statusLine, waiting } from "./asking.js";
import { el, number, percent } from "./dom.js";
import { createInput } from "./input.js";
import { shadedText, table } from "./spans.js";

const BITS = Math.log(2);
const DEEPEST = 12; // bits of the deepest shade: one in four thousand

export function scoreView(model, memory) {
  const status = statusLine();
  const place = el("div");
  const element = el("div", { class: "answer empty" }, place);
  const input = createInput(model, memory, () => asking.later());
  const gap = model.unit === "characters" || model.unit === "bytes";
  const asking = new Asking({
    question: () => {
      const given = input.value();
      return given && { model: model.name, ...given };
    },
    ask: (question, signal) => post("score", question, signal),
    show(answer) {
      element.classList.remove("empty");
      const tokens = answer.tokens.map(([text, log]) => ({ text, value: -log / BITS }));
      const bits = tokens.reduce((sum, token) => sum + token.value, 0);
      const worst = [...tokens].sort((a, b) => b.value - a.value).slice(0, 8);
      const shaded = shadedText("", tokens, { signed: false, most: DEEPEST, say: (value) => `${number(value)} bits` });
      shaded.classList.toggle("tight", gap);
      place.replaceChildren(
        el(
          "p",
          { class: "headline" },
          el("span", { class: "label-said" }, number(answer.perplexity)),
          el("span", { class: "sure" }, "perplexity"),
        ),
        shaded,
        el(
          "p",
          { class: "legend" },
          el("span", { class: "token much", vars: { share: 0.8 } }, "surprising"),
          el("span", { class: "hint" }, "thicker lines below are more bits; hover for how many"),
        ),
        el(
          "dl",
          { class: "figures" },
          el("div", {}, el("dt", {}, "log P, nats"), el("dd", {}, number(answer.log_probability))),
          el("div", {}, el("dt", {}, "bits"), el("dd", {}, number(bits))),
          el("div", {}, el("dt", {}, "bits a symbol"), el("dd", {}, number(bits / tokens.length))),
        ),
        table(
          "The most surprising symbols",
          ["Symbol", "Bits", "Probability"],
          worst.map((token) => [token.text, number(token.value), percent(2 ** -token.value)]),
          { numeric: [1, 2] },
        ),
      );
      return `Perplexity ${number(answer.perplexity)}.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
    status,
    delay: 250,
  });
  return {
    element: el(
      "div",
      { class: "pair" },
      el("section", { class: "card", "aria-label": "Input" }, input.element),
      el(
        "section",
        { class: "card result", "aria-label": "Score" },
        element,
        waiting("How probable the text is appears here."),
        status.element,
      ),
    ),
    shown() {
      input.shown?.();
      asking.now();
    },
    hidden: () => asking.stop(),
  };
}
