// Words by their vectors: what is near a word, and what is to one word as another is to a third.

import { post } from "./api.js";
import { Asking, statusLine } from "./asking.js";
import { button, el, field } from "./dom.js";

export function embeddingsView(model, memory) {
  memory.word ??= model.example?.word ?? "";
  memory.analogy ??= ["", "", ""];
  return bothViews(model, memory);
}

function wordBox(value, changed, placeholder = "") {
  return el("input", {
    type: "text",
    value,
    placeholder,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    maxlength: 200,
    oninput: changed,
  });
}

/** Words as bars, of which each leads to its own neighbours. */
function wordList(list, walk) {
  return el(
    "ol",
    { class: "bars words" },
    list.map(({ word, similarity }) =>
      el(
        "li",
        { "data-word": word },
        button(word, () => walk(word), { class: "name link", title: `Neighbours of ${word}`, dir: "auto" }),
        el("span", { class: "track", vars: { share: Math.max(0, similarity) } }),
        el("span", { class: "value" }, similarity.toFixed(3)),
      ),
    ),
  );
}

function bothViews(model, memory) {
  const found = el("div");
  const status = statusLine();
  const word = wordBox(memory.word, () => {
    memory.word = word.value;
    near.later();
  });
  const count = el(
    "select",
    { onchange: () => near.now() },
    [10, 25, 50].map((size) => el("option", { value: size }, String(size))),
  );
  const trail = el("p", { class: "trail" });
  const visited = [];
  const near = new Asking({
    question: () => (word.value.trim() ? { model: model.name, word: word.value.trim(), k: Number(count.value) } : null),
    ask: (question, signal) => post("neighbours", question, signal),
    show(answer, question) {
      if (visited.at(-1) !== question.word) visited.push(question.word);
      const before = visited.slice(-6, -1);
      trail.replaceChildren(
        ...(before.length
          ? ["before: ", ...before.flatMap((of) => [button(of, () => walk(of), { class: "link" }), " "])]
          : []),
      );
      found.replaceChildren(wordList(answer.neighbours, walk));
      return `Nearest to ${question.word}: ${answer.neighbours
        .slice(0, 3)
        .map((of) => of.word)
        .join(", ")}.`;
    },
    clear: () => found.replaceChildren(),
    status,
  });
  function walk(to) {
    word.value = memory.word = to;
    near.now();
    word.focus();
  }

  const answers = el("div");
  const said = statusLine();
  const boxes = ["man", "king", "woman"].map((placeholder, i) =>
    wordBox(
      memory.analogy[i],
      () => {
        memory.analogy[i] = boxes[i].value;
        completes.later();
      },
      placeholder,
    ),
  );
  const completes = new Asking({
    question: () => {
      const [a, b, c] = boxes.map((box) => box.value.trim());
      return a && b && c ? { model: model.name, positive: [b, c], negative: [a], k: 10 } : null;
    },
    ask: (question, signal) => post("analogy", question, signal),
    show(answer) {
      answers.replaceChildren(wordList(answer.neighbours, walk));
      return `${answer.neighbours[0]?.word ?? "Nothing"}.`;
    },
    clear: () => answers.replaceChildren(),
    status: said,
  });
  return {
    element: el(
      "div",
      { class: "pair even" },
      model.verbs.includes("neighbours") &&
        el(
          "section",
          { class: "card", "aria-labelledby": "neighbours-title" },
          el("h2", { id: "neighbours-title" }, "Neighbours"),
          el("div", { class: "grid wide" }, field("Word", word), field("How many", count)),
          trail,
          found,
          status.element,
        ),
      model.verbs.includes("analogy") &&
        el(
          "section",
          { class: "card", "aria-labelledby": "analogy-title" },
          el("h2", { id: "analogy-title" }, "Analogy"),
          el(
            "div",
            { class: "analogy" },
            field("This word", boxes[0]),
            field("is to", boxes[1]),
            field("as this one", boxes[2]),
            el("p", { class: "hint" }, "For instance: man is to king as woman is to …"),
          ),
          answers,
          said.element,
        ),
    ),
    shown: () => (near.now(), completes.now()),
    hidden: () => (near.stop(), completes.stop()),
  };
}
