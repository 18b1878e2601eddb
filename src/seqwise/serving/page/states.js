// What the state holds over time: a heat map of the layer and quantity that somebody chooses.

import { post } from "./api.js";
import { Asking, statusLine, waiting } from "./asking.js";
import { el, field, number } from "./dom.js";
import { HeatMap } from "./heatmap.js";
import { createInput } from "./input.js";

export function statesView(model, memory) {
  const status = statusLine();
  let trace = null;
  const layer = el("select", { onchange: () => chooseLayer() });
  const quantity = el("select", { onchange: () => draw() });
  const heat = new HeatMap(describe);
  const place = el(
    "div",
    { class: "answer empty" },
    el("div", { class: "grid two" }, field("Layer", layer), field("Show", quantity)),
    heat.element,
  );
  const input = createInput(model, memory, () => asking.later());

  function current() {
    return trace.layers[Number(layer.value) || 0];
  }
  function quantities(of) {
    return [
      ...Object.keys(of.states ?? {}).map((name) => [`states.${name}`, `state ${name}`]),
      ...Object.keys(of.gates ?? {}).map((name) => [`gates.${name}`, `gate ${name}`]),
    ];
  }
  function values(name) {
    const [kind, key] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
    return current()[kind][key];
  }
  function fill(select, options, kept) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    select.value = options.some(([value]) => value === kept) ? kept : options[0][0];
  }
  function chooseLayer() {
    fill(quantity, quantities(current()), quantity.value);
    draw();
  }
  function draw() {
    const name = quantity.value;
    const rows = values(name);
    // A gate is a share from 0 to 1, where its cell says so; what goes below 0 is shown with its sign.
    const signed = !name.startsWith("gates.") || rows.some((row) => row.some((value) => value < 0 || value > 1));
    heat.show(rows, trace.symbols, signed, current().units);
  }
  function describe(step, unit) {
    const of = current();
    const around = [step - 2, step - 1].filter((i) => i >= 0).map((i) => trace.symbols[i]);
    const gap = model.unit === "characters" || model.unit === "bytes" ? "" : " ";
    return [
      el(
        "p",
        {},
        el("span", { class: "hint" }, `${around.join(gap)}${gap}`),
        el("strong", {}, trace.symbols[step]),
        ` step ${step + 1} of ${trace.symbols.length}, unit ${of.units?.[unit] ?? unit + 1}`,
      ),
      el(
        "dl",
        { class: "figures" },
        quantities(of).map(([name, text]) =>
          el(
            "div",
            { class: name === quantity.value ? "current" : null },
            el("dt", {}, text),
            el("dd", {}, number(values(name)[step]?.[unit])),
          ),
        ),
      ),
    ];
  }

  const asking = new Asking({
    question: () => {
      const given = input.value();
      return given && { model: model.name, ...given };
    },
    ask: (question, signal) => post("trace", question, signal),
    show(answer) {
      if (!answer.symbols?.length) {
        this.clear();
        return "Nothing was read.";
      }
      trace = answer;
      place.classList.remove("empty");
      fill(
        layer,
        answer.layers.map((of, i) => [String(i), `${of.name}${of.direction ? `, ${of.direction}` : ""}`]),
        layer.value,
      );
      chooseLayer();
      return `${answer.symbols.length} steps${answer.steps > answer.symbols.length ? ` of ${answer.steps}` : ""}, ${answer.layers.length} layers.`;
    },
    clear: () => place.classList.add("empty"),
    status,
    delay: 350,
  });
  return {
    element: el(
      "div",
      { class: "stack" },
      el("section", { class: "card", "aria-label": "Input" }, input.element),
      el(
        "section",
        { class: "card result", "aria-label": "State over time" },
        place,
        waiting("What the state holds at each step appears here."),
        status.element,
      ),
    ),
    shown() {
      input.shown?.();
      asking.now();
    },
    hidden: () => asking.stop(),
    closed: () => heat.close(),
  };
}
