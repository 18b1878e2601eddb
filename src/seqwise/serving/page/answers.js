// What a model answered, one way of showing it for each task. Each is made once: {element, show(answer, question) -> what
// screen readers are told, clear()}.

import { Bars } from "./bars.js";
import { el, number, percent } from "./dom.js";
import { linePlot, scalePlot } from "./plot.js";
import { Hues, markedText, table } from "./spans.js";

export function createAnswer(model) {
  const make = {
    classify: classes,
    tag: tags,
    regress: numbers,
    forecast: forecast,
    translate: translations,
    transcribe: transcript,
  }[model.task];
  return (make ?? plain)(model);
}

function holder(...children) {
  return el("div", { class: "answer empty" }, ...children);
}

function classes(model) {
  const label = el("span", { class: "label-said", dir: "auto" });
  const sure = el("span", { class: "sure" });
  const why = el("p", { class: "hint" });
  const bars = new Bars(model.thresholds);
  const element = holder(el("p", { class: "headline" }, label, sure), bars.element, why);
  return {
    element,
    show(answer, question) {
      element.classList.remove("empty");
      const several = Array.isArray(answer.labels);
      const chosen = several ? answer.labels : answer.label === null ? [] : [answer.label];
      const floor = question.abstain_below ?? null;
      const nothing = several ? "No label" : "No answer";
      element.classList.toggle("abstained", chosen.length === 0);
      label.textContent = chosen.length ? chosen.join(", ") : nothing;
      sure.textContent = several ? "" : percent(answer.probability);
      bars.show(answer.probabilities, new Set(chosen.map(String)), floor);
      why.textContent = [
        chosen.length === 0 && !several && `No class is sure enough: the most probable has ${percent(answer.probability)}.`,
        model.thresholds && (several ? "The line on a bar is the label's threshold." : "The line on a bar is the class's threshold: the class that is furthest beyond its own is chosen."),
        floor !== null && `Below ${percent(floor)} (dotted) there is no answer.`,
      ].filter(Boolean).join(" ");
      return several ? `${label.textContent}.` : `${label.textContent}, ${sure.textContent}.`;
    },
    clear() {
      element.classList.add("empty");
      label.textContent = sure.textContent = why.textContent = "";
      bars.clear();
    },
  };
}

function tags(model) {
  const hues = new Hues();
  const place = el("div");
  const element = holder(place);
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      if (answer.segments) {
        place.replaceChildren(timeline(answer, hues));
        return `${answer.segments.length} segments.`;
      }
      const rows = (answer.tokens ?? []).map(([token, tag, probability]) => [token, tag, percent(probability)]);
      place.replaceChildren(
        markedText(answer.text, answer.entities, hues),
        answer.entities.length
          ? table(
              "Entities",
              ["Text", "Type", "Probability"],
              answer.entities.map((of) => [of.word, el("span", { class: `chip ${hues.of(of.entity_group)}` }, of.entity_group), percent(of.score)]),
              { numeric: [2] },
            )
          : el("p", { class: "hint" }, "Nothing is marked in this text."),
        el("details", {}, el("summary", {}, "Every token"), table("Tokens and their tags", ["Token", "Tag", "Probability"], rows, { numeric: [2] })),
      );
      const types = new Set(answer.entities.map((of) => of.entity_group));
      return `${answer.entities.length} entities${types.size ? `: ${[...types].join(", ")}` : ""}.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
  };
}

function timeline(answer, hues) {
  const end = Math.max(1e-9, ...answer.segments.map((of) => of.end));
  const rows = answer.segments.map((of) => [of.entity_group, `${number(of.start)} – ${number(of.end)}`, percent(of.score)]);
  return el(
    "div",
    {},
    el(
      "div",
      { class: "timeline", "aria-hidden": "true" },
      answer.segments.map((of) =>
        el("span", { class: hues.of(of.entity_group), vars: { size: (of.end - of.start) / end }, title: `${of.entity_group} ${number(of.start)} to ${number(of.end)}` }, of.entity_group),
      ),
    ),
    table("Segments", ["Label", answer.unit === "seconds" ? "Seconds" : "Steps", "Probability"], rows, { numeric: [1, 2] }),
  );
}

function numbers(model) {
  const place = el("div");
  const element = holder(place);
  const bounds = model.targets ?? {};
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      const values = answer.prediction ?? answer.predictions ?? answer.values ?? answer.targets;
      place.replaceChildren(...Object.entries(values).map(([name, value]) => scalePlot(name, value, bounds[name]?.low, bounds[name]?.high)));
      return `${Object.entries(values).map(([name, value]) => `${name} ${number(value)}`).join(", ")}.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
  };
}

function forecast() {
  const place = el("div");
  const element = holder(place);
  return {
    element,
    show(answer, question) {
      element.classList.remove("empty");
      const ahead = answer.forecast.map((row) => [row].flat());
      const history = (question.series ?? []).map((row) => [row].flat());
      const names = answer.channels ?? ahead[0].map((_, c) => `channel ${c + 1}`);
      const column = (rows, c) => rows.map((row) => [row].flat()[c]);
      place.replaceChildren(
        ...names.slice(0, 6).map((name, c) =>
          el(
            "div",
            { class: "channel" },
            names.length > 1 && el("h3", {}, name),
            linePlot(
              [
                { name: "given", values: column(history, c), kind: "past" },
                { name: "forecast", values: [history.at(-1)[c], ...column(ahead, c)], start: history.length - 1, kind: "ahead" },
              ],
              {
                height: names.length > 2 ? 130 : 220,
                from: history.length - 1,
                band: answer.low ? { low: column(answer.low, c), high: column(answer.high, c), start: history.length } : null,
                label: `${name}: ${history.length} steps given, ${ahead.length} steps ahead from ${number(ahead[0][c])} to ${number(ahead.at(-1)[c])}`,
                legend: c === 0,
              },
            ),
          ),
        ),
        el(
          "details",
          {},
          el("summary", {}, "The numbers"),
          table("Forecast", ["Step", ...names], ahead.map((row, i) => [String(i + 1), ...row.map(number)]), { numeric: names.map((_, c) => c + 1) }),
        ),
      );
      return `${ahead.length} steps ahead.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
  };
}

function translations() {
  const text = el("p", { class: "said", dir: "auto", "data-part": "translation" });
  const note = el("p", { class: "hint" });
  const others = el("div");
  const element = holder(text, note, others);
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      text.textContent = answer.translation;
      note.textContent = answer.truncated ? "The text was longer than the model reads: its end is left out." : "";
      others.replaceChildren(
        answer.answers.length > 1
          ? table("Translations, best first", ["Translation", "Score"], answer.answers.map((of) => [of.text, number(of.score)]), { numeric: [1] })
          : "",
      );
      return `${answer.translation}`;
    },
    clear() {
      element.classList.add("empty");
      text.textContent = note.textContent = "";
      others.replaceChildren();
    },
  };
}

function transcript() {
  const place = el("div");
  const element = holder(place);
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      place.replaceChildren(
        el("p", { class: "said", dir: "auto" }, answer.text || "(nothing heard)"),
        answer.words?.length
          ? el(
              "details",
              {},
              el("summary", {}, "Every word and its time"),
              table(
                "Words",
                ["Word", answer.unit === "seconds" ? "Seconds" : "Frames", "Probability"],
                answer.words.map((of) => [of.word, `${number(of.start)} – ${number(of.end)}`, percent(of.score)]),
                { numeric: [1, 2] },
              ),
            )
          : "",
      );
      return answer.text || "Nothing heard.";
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
  };
}

function plain() {
  const place = el("pre", { tabindex: "0" });
  const element = holder(place);
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      place.textContent = JSON.stringify(answer, null, 2);
      return "Answered.";
    },
    clear() {
      element.classList.add("empty");
      place.textContent = "";
    },
  };
}
