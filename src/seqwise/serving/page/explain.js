// What each token did to the answer.

import { post } from "./api.js";
import { Asking, statusLine, waiting } from "./asking.js";
import { choice, el, field, number } from "./dom.js";
import { createInput, kindOf } from "./input.js";
import { linePlot } from "./plot.js";
import { shadedText, table } from "./spans.js";

const METHODS = [
  ["integrated_gradients", "Integrated gradients"],
  ["occlusion", "Occlusion"],
  ["gradient_x_input", "Gradient × input"],
];
const SAID = {
  integrated_gradients:
    "What each token adds to the output on the way from an empty input; the parts sum to the change.",
  occlusion: "How much the output changes when a token is left out.",
  gradient_x_input: "The output's slope at each token: quick, and good near the input only.",
};
const OUTPUT = { classify: "log-odds", tag: "log-odds", lm: "log P" };
const TOP = 10;

export function explainView(model, memory) {
  memory.method ??= METHODS[0][0];
  const frames = !["text", "tokens", "fields"].includes(kindOf(model));
  const status = statusLine();
  const place = el("div");
  const element = el("div", { class: "answer empty" }, place);
  const said = el("p", { class: "hint" }, SAID[memory.method]);
  const input = createInput(model, memory, () => asking.later());
  const targets = model.classes ?? model.targets;
  const target = targets?.length
    ? el(
        "select",
        { onchange: () => asking.now() },
        el("option", { value: "" }, "the answer"),
        targets.map((name) => el("option", { value: name }, name)),
      )
    : null;
  const position =
    model.task === "tag" || model.task === "lm"
      ? el("input", { type: "number", min: 0, step: 1, placeholder: "chosen", oninput: () => asking.later() })
      : null;
  const asking = new Asking({
    question: () => {
      const given = input.value();
      if (!given) return null;
      return {
        model: model.name,
        ...given,
        method: memory.method,
        ...(target?.value ? { target: target.value } : {}),
        ...(position && position.value !== "" ? { position: Number(position.value) } : {}),
      };
    },
    ask: (question, signal) => post("explain", question, signal),
    show(answer, question) {
      element.classList.remove("empty");
      for (const token of answer.tokens) token.value = [token.value].flat().reduce((sum, value) => sum + value, 0);
      const top = answer.tokens.map((token, i) => ({ ...token, i })).filter((token) => token.value !== 0);
      top.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
      const most = Math.abs(top[0]?.value ?? 1);
      place.replaceChildren(
        el(
          "p",
          { class: "headline" },
          el("span", { class: "label-said", dir: "auto" }, String(answer.target)),
          el("span", { class: "sure" }, `${OUTPUT[model.task] ?? "output"} ${number(answer.output)}`),
        ),
        frames
          ? linePlot([{ name: "value", values: answer.tokens.map((token) => token.value) }], {
              height: 180,
              label: `Value of each of ${answer.tokens.length} steps`,
            })
          : shadedText(answer.text ?? question.text, answer.tokens, { say: signed }),
        el(
          "p",
          { class: "legend" },
          el("span", { class: "token for", vars: { share: 0.7 } }, "for"),
          el("span", { class: "token against", vars: { share: 0.7 } }, "against"),
          el("span", { class: "hint" }, "the deeper, the more; dashed lines are against"),
        ),
        table(
          "Tokens by what they did",
          ["Token", "Value", el("span", { class: "unseen" }, "Value as a bar")],
          top
            .slice(0, TOP)
            .map((token) => [
              token.text,
              signed(token.value),
              el("span", {
                class: `meter ${token.value > 0 ? "for" : "against"}`,
                vars: { share: Math.abs(token.value) / most },
                "aria-hidden": "true",
              }),
            ]),
          { numeric: [1] },
        ),
        el(
          "p",
          { class: "hint" },
          answer.baseline === null
            ? ""
            : `From ${number(answer.baseline)} without the text to ${number(answer.output)} with it.`,
          answer.delta !== null && answer.delta !== undefined
            ? ` The tokens' values miss the change by ${number(answer.delta)}.`
            : "",
        ),
      );
      return `For ${answer.target}: ${top
        .slice(0, 3)
        .map((token) => `${token.text} ${signed(token.value)}`)
        .join(", ")}.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
    status,
    delay: 350,
  });
  return {
    element: el(
      "div",
      { class: "pair" },
      el(
        "section",
        { class: "card", "aria-label": "Input" },
        input.element,
        choice("Method", METHODS, memory.method, (method) => {
          memory.method = method;
          said.textContent = SAID[method];
          asking.now();
        }),
        said,
        (target || position) &&
          el(
            "div",
            { class: "grid" },
            target && field("Explain", target),
            position && field("At token", position, "counted from 0"),
          ),
      ),
      el(
        "section",
        { class: "card result", "aria-label": "Explanation" },
        element,
        waiting("What each token does to the answer appears here."),
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

function signed(value) {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value))}`;
}
