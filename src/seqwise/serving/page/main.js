// The page: which model, which tab, which theme, which key.

import { address, ask, key } from "./api.js";
import { problemBox } from "./asking.js";
import { batchView } from "./batch.js";
import { cardView } from "./card.js";
import { el, number } from "./dom.js";
import { embeddingsView } from "./embeddings.js";
import { examplesView } from "./examples.js";
import { explainView } from "./explain.js";
import { generateView } from "./generate.js";
import { kindOf } from "./input.js";
import { predictView } from "./predict.js";
import { scoreView } from "./score.js";
import { statesView } from "./states.js";
import { streamView } from "./stream.js";
import { Tabs } from "./tabs.js";

const page = Object.fromEntries(
  [
    "about",
    "chooser",
    "facts",
    "key",
    "keys",
    "keys-cancel",
    "keys-form",
    "keys-problem",
    "keys-value",
    "model",
    "name",
    "notice",
    "panels",
    "tabs",
    "theme",
  ].map((id) => [id, document.getElementById(id)]),
);
const TASKS = {
  classify: ["Classify", "classifier"],
  tag: ["Tag", "tagger"],
  regress: ["Estimate", "regressor"],
  forecast: ["Forecast", "forecaster"],
  translate: ["Translate", "translator"],
  transcribe: ["Transcribe", "transcriber"],
  lm: ["Predict", "language model"],
  generate: ["Predict", "generator"],
  vectors: ["Embeddings", "word vectors"],
};
const UNITS = { whitespace: "words", bpe: "parts of words", wordpiece: "parts of words", unigram: "parts of words" };
const memories = new Map();
let models = [];

/** The tabs that make sense for a model: [id, title, make]. */
function tabsOf(model) {
  const memory = memoryOf(model);
  const verbs = new Set(model.verbs);
  const writes = model.task === "generate";
  const texts = ["text", "fields", "tokens"].includes(kindOf(model));
  return [
    verbs.has("predict") &&
      !writes && ["predict", TASKS[model.task]?.[0] ?? "Predict", () => predictView(model, memory)],
    verbs.has("generate") && ["generate", "Generate", () => generateView(model, memory)],
    verbs.has("score") && ["score", "Score", () => scoreView(model, memory)],
    (verbs.has("neighbours") || verbs.has("analogy")) && [
      "embeddings",
      "Embeddings",
      () => embeddingsView(model, memory),
    ],
    verbs.has("explain") && ["explain", "Explain", () => explainView(model, memory)],
    verbs.has("trace") && ["state", "State", () => statesView(model, memory)],
    model.streams && ["stream", "Stream", () => streamView(model, memory)],
    verbs.has("predict") && texts && !writes && ["batch", "Batch", () => batchView(model)],
    model.task !== "vectors" && ["card", "Model card", () => cardView(model)],
    ["api", "Use it", () => examplesView(model)],
  ].filter(Boolean);
}

/** What was typed into a model's tabs: it is still there when one comes back. */
function memoryOf(model) {
  if (!memories.has(model.name)) {
    let count = 0;
    memories.set(model.name, { next: () => (count += 1) });
  }
  return memories.get(model.name);
}

/** The figures of each task that say most, on the examples that were kept for this. */
const FIGURES = {
  classify: ["accuracy", "micro_f1", "macro_f1"],
  tag: ["f1", "accuracy"],
  regress: ["mae", "r2"],
  forecast: ["mase", "mae"],
  translate: ["bleu", "chrf"],
  transcribe: ["wer", "cer"],
  lm: ["perplexity"],
  generate: ["log_loss"],
};
const SHORT = {
  bleu: "BLEU",
  chrf: "chrF",
  wer: "WER",
  cer: "CER",
  mae: "MAE",
  r2: "R²",
  mase: "MASE",
  f1: "F1",
  macro_f1: "macro F1",
  micro_f1: "micro F1",
};

function figuresOf(model) {
  const split = model.figures?.test ? "test" : "validation";
  const block = model.figures?.[split] ?? {};
  const found = (FIGURES[model.task] ?? []).flatMap((name) => {
    const value = block[name]?.value ?? block[name];
    return typeof value === "number" ? [`${SHORT[name] ?? name.replaceAll("_", " ")} ${number(value)}`] : [];
  });
  return found.length ? [`${found.slice(0, 2).join(", ")} on ${split} data`] : [];
}

function factsOf(model) {
  return [
    TASKS[model.task]?.[1] ?? model.task,
    model.cell && model.cell.toUpperCase(),
    model.task !== "vectors" &&
      model.unit &&
      `${["generate", "transcribe"].includes(model.task) ? "writes" : "reads"} ${UNITS[model.unit] ?? model.unit}`,
    model.task === "classify" && `${model.classes.length} ${model.several_labels ? "labels" : "classes"}`,
    model.words && `${model.words.toLocaleString("en")} words of ${model.size} numbers`,
    model.calibrated && "calibrated",
    ...figuresOf(model),
  ].filter(Boolean);
}

const tabs = new Tabs(page.tabs, page.panels, (tab) => {
  history.replaceState(null, "", `#${encodeURIComponent(page.model.value)}/${tab}`);
});

function showModel(name, tab = null) {
  const model = models.find((of) => of.name === name) ?? models[0];
  page.model.value = model.name;
  page.name.textContent = model.name;
  page.facts.replaceChildren(...factsOf(model).map((fact) => el("li", {}, fact)));
  document.title = `${model.name} · Seqwise`;
  const views = tabsOf(model);
  tabs.replace(views);
  tabs.show(views.some(([id]) => id === tab) ? tab : views[0][0]);
}

function placeAsked() {
  const [name, tab] = location.hash.slice(1).split("/");
  try {
    return [decodeURIComponent(name), tab ?? null];
  } catch {
    return ["", null];
  }
}

async function load() {
  page.notice.replaceChildren();
  try {
    ({ models } = await ask("models"));
  } catch (problem) {
    if (problem.status === 401) {
      page.notice.replaceChildren(el("p", { class: "hint" }, "The models are shown to who has a key."));
      return;
    }
    page.notice.replaceChildren(problemBox(problem, load));
    return;
  }
  if (!models.length) {
    page.notice.replaceChildren(el("p", { class: "problem" }, "No model is served."));
    return;
  }
  page.model.replaceChildren(...models.map((of) => el("option", { value: of.name }, of.name)));
  page.chooser.hidden = models.length < 2;
  page.about.hidden = false;
  page.tabs.parentElement.hidden = false;
  showModel(...placeAsked());
}

page.model.addEventListener("change", () => showModel(page.model.value, tabs.open?.id));
window.addEventListener("hashchange", () => {
  const [name, tab] = placeAsked();
  if (!models.length) return;
  if (name !== page.model.value) showModel(name, tab);
  else tabs.show(tab);
});

// A key, where the server wants one.
function askForKey(problem = "") {
  page.key.hidden = false;
  page["keys-problem"].textContent = problem;
  page["keys-problem"].hidden = !problem;
  if (!page.keys.open) page.keys.showModal();
  page["keys-value"].focus();
}
document.addEventListener("key-wanted", () => askForKey(key.get() ? "The server does not know this key." : ""));
page.key.addEventListener("click", () => askForKey());
page["keys-cancel"].addEventListener("click", () => page.keys.close());
page["keys-form"].addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(page["keys-value"].value.trim());
  page["keys-value"].value = "";
  page.keys.close();
  if (models.length) showModel(page.model.value, tabs.open?.id);
  else load();
});
page.key.hidden = !key.get();

// The theme: as the system has it, or as somebody wants it here.
const THEMES = { "": ["◐", "as the system"], light: ["○", "light"], dark: ["●", "dark"] };
function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "";
  const [sign, said] = THEMES[chosen];
  page.theme.firstElementChild.textContent = sign;
  page.theme.setAttribute("aria-label", `Theme: ${said}`);
  page.theme.title = `Theme: ${said}`;
  document.dispatchEvent(new CustomEvent("theme"));
}
page.theme.addEventListener("click", () => {
  const order = Object.keys(THEMES);
  const next = order[(order.indexOf(document.documentElement.dataset.theme ?? "") + 1) % order.length];
  if (next) {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("seqwise.theme", next);
  } else {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("seqwise.theme");
  }
  showTheme();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
showTheme();
document.getElementById("docs").href = address("docs");
load();
