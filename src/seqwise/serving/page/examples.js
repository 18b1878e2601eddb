// How to ask this model from a program.

import { address, key } from "./api.js";
import { button, el } from "./dom.js";

const MOST = 400; // characters of a body; of long ones, such as sounds, the middle is left out

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function shortened(value) {
  if (typeof value === "string" && value.length > MOST) return `${value.slice(0, 60)}…`;
  if (Array.isArray(value) && JSON.stringify(value).length > MOST) return value.slice(0, 3).map(shortened);
  return value;
}

function bodyOf(model, more = {}) {
  const input = Object.fromEntries(
    Object.entries(model.example ?? {}).map(([name, value]) => [name, shortened(value)]),
  );
  return { model: model.name, ...input, ...more };
}

function curl(path, body, flags = "") {
  const secret = key.get() ? ' \\\n  -H "Authorization: Bearer $KEY"' : "";
  const sent =
    body === null ? "" : ` \\\n  -H 'content-type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
  return `curl ${flags}${address(path)}${secret}${sent}`;
}

function python(model) {
  return [
    "import json",
    "from urllib.request import Request, urlopen",
    "",
    `body = ${JSON.stringify(bodyOf(model), null, 4)}`,
    `headers = {"content-type": "application/json"${key.get() ? ', "authorization": f"Bearer {KEY}"' : ""}}`,
    `request = Request(${JSON.stringify(String(address(model.verbs.includes("predict") ? "predict" : model.verbs[0])))}, json.dumps(body).encode(), headers)`,
    "print(json.load(urlopen(request)))",
  ].join("\n");
}

export function examplesView(model) {
  const has = (verb) => model.verbs.includes(verb);
  const parts = [
    has("predict") && ["An answer", curl("predict", bodyOf(model))],
    has("predict") &&
      model.example?.text !== undefined && [
        "Several at once",
        curl("batch_predict", { model: model.name, inputs: [model.example.text, model.example.text] }),
      ],
    has("score") && ["How probable a text is", curl("score", bodyOf(model))],
    has("generate") && [
      "A text while it is written",
      curl(
        "generate",
        {
          model: model.name,
          ...(model.task === "lm"
            ? { prompt: model.example?.prompt ?? model.example?.text ?? "" }
            : (model.example ?? {})),
          temperature: 0.8,
          stream: true,
        },
        "-N ",
      ),
    ],
    has("explain") && ["What the tokens did", curl("explain", bodyOf(model, { method: "integrated_gradients" }))],
    has("trace") && ["What the state held", curl("trace", bodyOf(model))],
    has("neighbours") && [
      "Neighbours of a word",
      curl("neighbours", { model: model.name, word: model.example?.word ?? "word", k: 10 }),
    ],
    has("analogy") && [
      "An analogy",
      curl("analogy", { model: model.name, positive: ["king", "woman"], negative: ["man"] }),
    ],
    model.streams && ["A session that keeps the state", curl("sessions", { model: model.name })],
    ["What this model is", curl(`models/${encodeURIComponent(model.name)}`, null)],
    (has("predict") || has("score")) && ["Python", python(model)],
  ].filter(Boolean);
  return {
    element: el(
      "section",
      { class: "card examples", "aria-label": "Examples for programs" },
      el("p", {}, "Every request and every answer is described under ", el("a", { href: address("docs") }, "API"), "."),
      parts.map(([title, code]) => {
        const copied = el("span", { class: "hint", role: "status" });
        const copy = button(
          "Copy",
          async () => {
            try {
              await navigator.clipboard.writeText(code);
              copied.textContent = "copied";
            } catch {
              copied.textContent = "select it and copy it";
            }
          },
          { class: "quiet small", "aria-label": `Copy: ${title}` },
        );
        return el(
          "div",
          { class: "example" },
          el("div", { class: "row" }, el("h2", {}, title), copied, copy),
          el("pre", { tabindex: "0", "aria-label": title, role: "region" }, code),
        );
      }),
    ),
  };
}
