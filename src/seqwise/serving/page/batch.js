// A file of texts: answered in parts, with what has been answered so far to look at and to take away.

import { Problem, postPatiently } from "./api.js";
import { statusLine } from "./asking.js";
import { csvLine, readCsv, separatorOf } from "./csv.js";
import { button, download, el, field, percent } from "./dom.js";
import { acceptsDrops, kindOf } from "./input.js";
import { table } from "./spans.js";

const TOGETHER = 64; // rows of one request
const SHOWN = 8;
const HEAD = 65_536; // bytes looked at to find the columns
const LIKELY = /^(text|texts|sentence|review|content|message|tweet|body|title|name|question|comment|source)$/i;

/** The answer columns of each task, from one answer. */
function cellsOf(model, answer) {
  if (answer.error) return { error: answer.error };
  switch (model.task) {
    case "classify":
      return {
        ...(answer.labels ? { labels: answer.labels.join(" ") } : { label: answer.label ?? "" }),
        ...(answer.probability === undefined ? {} : { probability: answer.probability.toFixed(6) }),
        ...Object.fromEntries(
          Object.entries(answer.probabilities).map(([name, share]) => [`p(${name})`, share.toFixed(6)]),
        ),
      };
    case "tag":
      return { entities: JSON.stringify(answer.entities) };
    case "translate":
      return { translation: answer.translation };
    case "regress":
      return answer.values;
    default:
      return { answer: JSON.stringify(answer) };
  }
}

function columnsOf(model) {
  if (model.task === "classify")
    return [
      ...(model.several_labels ? ["labels"] : ["label"]),
      "probability",
      ...(model.classes ?? []).map((name) => `p(${name})`),
      "error",
    ];
  return (
    { tag: ["entities", "error"], translate: ["translation", "error"], regress: [...(model.targets ?? []), "error"] }[
      model.task
    ] ?? null
  );
}

export function batchView(model) {
  const status = statusLine();
  const names = kindOf(model) === "fields" ? Object.keys(model.example.fields) : ["text"];
  let file = null;
  let separator = ",";
  let controller = null;
  let parts = [];

  const chooser = el("input", {
    type: "file",
    accept: ".csv,.tsv,.txt,text/csv",
    onchange: () => open(chooser.files[0]),
  });
  const selects = names.map((name) => [name, el("select", {})]);
  const headed = el("input", { type: "checkbox", checked: true, onchange: () => look() });
  const preview = el("div");
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const tally = el("div");
  const sample = el(
    "div",
    {},
    el(
      "p",
      { class: "hint" },
      "Answers appear here, row after row; the file stays on this machine and goes to the server in parts.",
    ),
  );
  const start = button("Answer all rows", run, { class: "primary", disabled: true });
  const cancel = button("Cancel", () => controller?.abort(), { class: "plain", disabled: true });
  const save = button(
    "Download the answers",
    () => download(`${(file?.name ?? "file").replace(/\.[^.]*$/, "")}-answers.csv`, parts, "text/csv"),
    { class: "plain", disabled: true },
  );
  const chosen = el("p", { class: "hint", role: "status" }, "A .csv, .tsv or .txt file, drop it here or choose it.");
  const setup = el(
    "div",
    { hidden: true },
    el(
      "div",
      { class: "grid" },
      selects.map(([name, select]) => field(names.length > 1 ? `Column of ${name}` : "Column of the text", select)),
    ),
    el("label", { class: "check" }, headed, "The first line names the columns"),
    preview,
  );

  async function open(given) {
    if (!given) return;
    controller?.abort();
    file = given;
    parts = [];
    save.disabled = true;
    await look();
  }
  async function look() {
    try {
      const text = await file.slice(0, HEAD).text();
      separator = separatorOf(text);
      const rows = [];
      for await (const piece of readCsv(file.slice(0, HEAD), separator)) rows.push(...piece.rows);
      if (!rows.length) throw new Problem(422, "The file is empty.");
      const head = headed.checked ? rows[0] : rows[0].map((_, i) => `column ${i + 1}`);
      const body = (headed.checked ? rows.slice(1) : rows).slice(0, 4);
      selects.forEach(([name, select]) => {
        select.replaceChildren(...head.map((column, i) => el("option", { value: i }, column || `column ${i + 1}`)));
        select.value = String(likely(name, head, body));
      });
      preview.replaceChildren(
        table(
          "The first rows",
          head,
          body.map((row) => head.map((_, i) => cut(row[i] ?? ""))),
        ),
      );
      chosen.textContent = `${file.name}, ${size(file.size)}`;
      setup.hidden = false;
      start.disabled = false;
      status.say("");
    } catch (problem) {
      if (problem.status === undefined) problem.status = -1;
      start.disabled = true;
      status.fail(problem);
    }
  }
  async function run() {
    controller = new AbortController();
    const { signal } = controller;
    const columns = selects.map(([name, select]) => [name, Number(select.value)]);
    const counts = new Map();
    const shown = [];
    let head = headed.checked ? null : [];
    let answered = columnsOf(model);
    let waiting = [];
    let rows = 0;
    let failed = 0;
    parts = [];
    start.disabled = true;
    cancel.disabled = false;
    save.disabled = true;
    bar.value = 0;
    sample.replaceChildren();
    tally.replaceChildren();

    const flush = async () => {
      const batch = waiting.splice(0, TOGETHER);
      const answers = await answer(
        batch.map((row) => inputOf(row, columns)),
        signal,
      );
      batch.forEach((row, i) => {
        const cells = cellsOf(model, answers[i]);
        answered ??= [...Object.keys(cells), "error"].filter((name, place, all) => all.indexOf(name) === place);
        if (!parts.length)
          parts.push(
            csvLine([
              ...(head.length ? head : row.map((_, c) => `column ${c + 1}`)),
              ...answered.map((name) => (head.includes(name) ? `answer_${name}` : name)),
            ]),
          );
        parts.push(csvLine([...row, ...answered.map((name) => cells[name] ?? "")]));
        rows += 1;
        if (cells.error) failed += 1;
        for (const name of answers[i].labels ??
          (answers[i].label === undefined ? [] : [answers[i].label ?? "no answer"]))
          counts.set(name, (counts.get(name) ?? 0) + 1);
        if (shown.length < SHOWN)
          shown.push([cut(Object.values(inputTexts(row, columns)).join(" · ")), short(model, answers[i])]);
      });
      sample.replaceChildren(table("The first answers", ["Text", "Answer"], shown));
      drawTally(counts, rows);
      status.say(`${rows.toLocaleString("en")} rows answered.`);
    };
    try {
      for await (const piece of readCsv(file, separator, signal)) {
        for (const row of piece.rows) {
          if (head === null) head = row;
          else waiting.push(row);
        }
        while (waiting.length >= TOGETHER) {
          await flush();
          bar.value = Math.max(0, piece.share - (waiting.length / Math.max(1, rows + waiting.length)) * piece.share);
        }
      }
      while (waiting.length) await flush();
      bar.value = 1;
      status.say(
        `${rows.toLocaleString("en")} rows answered${failed ? `, ${failed.toLocaleString("en")} of them could not be: see the column “error”` : ""}.`,
      );
    } catch (problem) {
      if (signal.aborted) status.say(`Cancelled after ${rows.toLocaleString("en")} rows.`);
      else {
        if (problem.status === undefined) problem.status = -1;
        status.fail(problem, run);
      }
    } finally {
      start.disabled = false;
      cancel.disabled = true;
      save.disabled = rows === 0;
    }
  }
  /** Answers of some inputs; one that the server refuses costs only its own row. */
  async function answer(inputs, signal) {
    try {
      return (await postPatiently("batch_predict", { model: model.name, inputs }, signal)).predictions;
    } catch (problem) {
      if (problem.status !== 413 && problem.status !== 422) throw problem;
      if (inputs.length === 1) return [{ error: problem.message }];
      const middle = Math.ceil(inputs.length / 2);
      return [...(await answer(inputs.slice(0, middle), signal)), ...(await answer(inputs.slice(middle), signal))];
    }
  }
  function inputTexts(row, columns) {
    return Object.fromEntries(columns.map(([name, place]) => [name, row[place] ?? ""]));
  }
  function inputOf(row, columns) {
    const texts = inputTexts(row, columns);
    const kind = kindOf(model);
    return kind === "fields"
      ? { fields: texts }
      : kind === "tokens"
        ? { tokens: texts.text.split(/\s+/).filter(Boolean) }
        : { text: texts.text };
  }
  function drawTally(counts, rows) {
    if (!counts.size) return;
    const order = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 12);
    tally.replaceChildren(
      el(
        "ol",
        { class: "bars" },
        order.map(([name, count]) =>
          el(
            "li",
            {},
            el("span", { class: "name", dir: "auto", title: name }, name),
            el("span", { class: "track", vars: { share: count / rows } }),
            el("span", { class: "value" }, count.toLocaleString("en")),
          ),
        ),
      ),
    );
  }

  const element = el(
    "div",
    { class: "pair" },
    el(
      "section",
      { class: "card drop", "aria-label": "File" },
      el("div", { class: "dropzone" }, el("label", { class: "plain file" }, chooser, "Choose a file"), chosen),
      setup,
      el("div", { class: "row" }, start, cancel),
    ),
    el(
      "section",
      { class: "card result", "aria-label": "Answers" },
      bar,
      status.element,
      tally,
      sample,
      el("div", { class: "row" }, save),
    ),
  );
  acceptsDrops(element.firstChild, open);
  return { element, hidden: () => {}, closed: () => controller?.abort() };
}

/** The column that probably holds the texts. */
function likely(name, head, body) {
  const same = head.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  if (same >= 0) return same;
  const known = head.findIndex((column) => LIKELY.test(column.trim()));
  if (known >= 0) return known;
  const lengths = head.map((_, i) =>
    body.reduce((sum, row) => sum + (Number.isNaN(Number(row[i])) ? (row[i] ?? "").length : 0), 0),
  );
  return lengths.indexOf(Math.max(...lengths));
}

function cut(text) {
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}

function short(model, answer) {
  if (answer.error) return answer.error;
  if (answer.labels) return answer.labels.join(", ") || "no label";
  if (answer.label !== undefined) return `${answer.label ?? "no answer"} ${percent(answer.probability)}`;
  if (answer.entities)
    return answer.entities.map((of) => `${of.word} (${of.entity_group})`).join(", ") || "nothing marked";
  return Object.values(cellsOf(model, answer)).join(", ");
}

function size(bytes) {
  return bytes < 1e3
    ? `${bytes} bytes`
    : bytes < 1e6
      ? `${(bytes / 1e3).toFixed(1)} kB`
      : `${(bytes / 1e6).toFixed(1)} MB`;
}
