// What a model answered, one way of showing it for each task. Each is made once: {element, show(answer, question) -> what
// screen readers are told, clear()}.

import { Bars } from "./bars.js";
import { el, foldout, number, percent } from "./dom.js";
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
        chosen.length === 0 &&
          !several &&
          `No class is sure enough: the most probable has ${percent(answer.probability)}.`,
        model.thresholds &&
          (several
            ? "The line on a bar is the label's threshold."
            : "The line on a bar is the class's threshold: the class that is furthest beyond its own is chosen."),
        floor !== null && `Below ${percent(floor)} (dotted) there is no answer.`,
      ]
        .filter(Boolean)
        .join(" ");
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
  const open = {};
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
              answer.entities.map((of) => [
                of.word,
                el("span", { class: `chip ${hues.of(of.entity_group)}` }, of.entity_group),
                percent(of.score),
              ]),
              { numeric: [2] },
            )
          : el("p", { class: "hint" }, "Nothing is marked in this text."),
        foldout(
          open,
          "Every token",
          table("Tokens and their tags", ["Token", "Tag", "Probability"], rows, { numeric: [2] }),
        ),
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
  const rows = answer.segments.map((of) => [
    of.entity_group,
    `${number(of.start)} – ${number(of.end)}`,
    percent(of.score),
  ]);
  return el(
    "div",
    {},
    el(
      "div",
      { class: "timeline", "aria-hidden": "true" },
      answer.segments.map((of) =>
        el(
          "span",
          {
            class: hues.of(of.entity_group),
            vars: { size: (of.end - of.start) / end },
            title: `${of.entity_group} ${number(of.start)} to ${number(of.end)}`,
          },
          of.entity_group,
        ),
      ),
    ),
    table("Segments", ["Label", answer.unit === "seconds" ? "Seconds" : "Steps", "Probability"], rows, {
      numeric: [1, 2],
    }),
  );
}

function numbers(model) {
  const place = el("div");
  const element = holder(place);
  const ranges = model.ranges ?? {};
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      const found = Object.entries(answer.values);
      place.replaceChildren(...found.map(([name, value]) => scalePlot(name, value, ...(ranges[name] ?? []))));
      return `${found.map(([name, value]) => `${name} ${number(value)}`).join(", ")}.`;
    },
    clear() {
      element.classList.add("empty");
      place.replaceChildren();
    },
  };
}

function forecast() {
  const open = {};
  const place = el("div");
  const element = holder(place);
  return {
    element,
    show(answer, question) {
      element.classList.remove("empty");
      const ahead = answer.forecasts;
      const history = (question.series ?? []).map((row) => [row].flat());
      const names = answer.channels ?? ahead[0].map((_, c) => `channel ${c + 1}`);
      const column = (rows, c) => rows.map((row) => [row].flat()[c]);
      place.replaceChildren(
        ...names.slice(0, 6).map((name, c) =>
          el(
            "div",
            { class: "channel" },
            names.length > 1 && el("h2", {}, name),
            linePlot(
              [
                { name: "given", values: column(history, c), kind: "past" },
                {
                  name: "forecast",
                  values: [history.at(-1)[c], ...column(ahead, c)],
                  start: history.length - 1,
                  kind: "ahead",
                },
              ],
              {
                height: names.length > 2 ? 130 : 220,
                from: history.length - 1,
                band: answer.low?.length
                  ? {
                      low: [history.at(-1)[c], ...column(answer.low, c)],
                      high: [history.at(-1)[c], ...column(answer.high, c)],
                      start: history.length - 1,
                    }
                  : null,
                label: `${name}: ${history.length} steps given, ${ahead.length} steps ahead from ${number(ahead[0][c])} to ${number(ahead.at(-1)[c])}`,
                legend: c === 0,
              },
            ),
          ),
        ),
        foldout(
          open,
          "The numbers",
          table(
            "Forecast",
            ["Step", ...names],
            ahead.map((row, i) => [String(i + 1), ...row.map(number)]),
            { numeric: names.map((_, c) => c + 1) },
          ),
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
  const open = {};
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
          ? table(
              "Translations, best first",
              ["Translation", "Score"],
              answer.answers.map((of) => [of.text, number(of.score)]),
              { numeric: [1] },
            )
          : "",
        answer.symbols?.length && answer.answers[0]?.attention?.length
          ? attended(answer.symbols, answer.answers[0], open)
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

/** A row for each symbol that was written, a column for each that was read: the deeper, the more it was looked at. */
function attended(read, answer, open) {
  return foldout(
    open,
    "Where the model looked",
    el(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "Attention" },
      el(
        "table",
        { class: "attention" },
        el("caption", { class: "unseen" }, "Attention: share of each symbol that was read, for each that was written"),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td"),
            read.map((symbol) => el("th", { scope: "col" }, el("span", {}, symbol))),
          ),
        ),
        el(
          "tbody",
          {},
          answer.symbols.map((symbol, i) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, symbol),
              answer.attention[i].map((share, j) =>
                el(
                  "td",
                  { vars: { share: share.toFixed(3) }, title: `${symbol} ← ${read[j]}: ${percent(share)}` },
                  el("span", { class: "unseen" }, percent(share)),
                ),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

function transcript() {
  const open = {};
  const place = el("div");
  const element = holder(place);
  return {
    element,
    show(answer) {
      element.classList.remove("empty");
      place.replaceChildren(
        el("p", { class: "said", dir: "auto" }, answer.text || "(nothing heard)"),
        answer.words?.length
          ? foldout(
              open,
              "Every word and its time",
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
