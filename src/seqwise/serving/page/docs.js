// The API as /openapi.json describes it: every request with its fields, its examples, and a place to try it.

import { Problem, address, ask, headers, key } from "./api.js";
import { problemBox } from "./asking.js";
import { button, el, field } from "./dom.js";
import { table } from "./spans.js";

const METHODS = ["get", "post", "put", "delete"];
const place = Object.fromEntries(
  ["chooser", "key-place", "model", "notice", "operations", "version"].map((id) => [id, document.getElementById(id)]),
);
let description = null;
let models = [];
let chosen = "";

function resolved(schema) {
  let of = schema ?? {};
  for (let depth = 0; of.$ref && depth < 10; depth += 1) {
    of =
      of.$ref
        .slice(2)
        .split("/")
        .reduce((part, name) => part?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], description) ?? {};
  }
  return of;
}

function kindOf(schema) {
  const of = resolved(schema);
  const several = of.anyOf ?? of.oneOf;
  if (several) return [...new Set(several.map(kindOf))].join(" or ");
  if (of.enum) return of.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (of.const !== undefined) return JSON.stringify(of.const);
  if (of.type === "array") return `list of ${kindOf(of.items)}`;
  return of.title && of.type === "object" ? of.title : (of.type ?? "anything");
}

/** The bounds of a value in words. */
function boundsOf(schema) {
  const of = resolved(schema);
  const inner = (of.anyOf ?? []).map(resolved).find((part) => part.type !== "null") ?? of;
  const said = [
    inner.minimum !== undefined && `from ${inner.minimum}`,
    inner.exclusiveMinimum !== undefined && `above ${inner.exclusiveMinimum}`,
    inner.maximum !== undefined && `to ${inner.maximum}`,
    inner.maxLength !== undefined && `at most ${inner.maxLength} characters`,
    inner.maxItems !== undefined && `at most ${inner.maxItems}`,
    of.default !== undefined && of.default !== null && `${JSON.stringify(of.default)} if left out`,
  ].filter(Boolean);
  return said.length ? ` (${said.join(", ")})` : "";
}

/** The objects that a schema leaves open, with the names under which the description has them. */
function leavesOf(schema, name = "") {
  const own = schema?.$ref?.split("/").at(-1) ?? name;
  const of = resolved(schema);
  const variants = of.anyOf ?? of.oneOf;
  return variants ? variants.flatMap((variant) => leavesOf(variant, own)) : [{ name: own, schema: of }];
}

/** Those of one model: what belongs to a model is named "MODEL.something". */
function leavesOfModel(schema) {
  const leaves = leavesOf(schema);
  const named = (leaf) => models.some((model) => leaf.name.startsWith(`${model}.`));
  return leaves.filter((leaf) => !named(leaf) || leaf.name.startsWith(`${chosen}.`));
}

/** What must be there comes first; the model's name, which is the same everywhere, last. */
function rank(schema, name) {
  return name === "model" ? 2 : (schema.required ?? []).includes(name) ? 0 : 1;
}

function fieldsOf(schema, caption) {
  return leavesOfModel(schema).flatMap(({ schema: of }) => {
    const rows = Object.entries(of.properties ?? {})
      .sort(([a], [b]) => rank(of, a) - rank(of, b))
      .map(([name, part]) => [
        el("code", {}, name + ((of.required ?? []).includes(name) ? "" : "?")),
        kindOf(part),
        `${part.description ?? resolved(part).description ?? ""}${boundsOf(part)}`,
      ]);
    return rows.length ? [table(caption, ["Field", "Type", "Meaning"], rows)] : [];
  });
}

function examplesOf(content) {
  const named = Object.entries(content.examples ?? {}).map(([name, of]) => [of.summary ?? name, of.value]);
  if (named.length) {
    const own = named.filter(([, value]) => value?.model === chosen);
    return own.length ? own : named;
  }
  if (content.example !== undefined) return [["example", content.example]];
  return (resolved(content.schema).examples ?? []).map((value, i) => [`example ${i + 1}`, value]);
}

function trial(method, path, body, parameters) {
  const answer = el("pre", {
    tabindex: "0",
    hidden: true,
    "aria-label": `What came back: ${method.toUpperCase()} ${path}`,
    role: "region",
  });
  const said = el("p", { class: "status", role: "status" });
  const wrong = el("div", { role: "alert" });
  const examples = body ? examplesOf(body) : [];
  const area = body
    ? el("textarea", {
        rows: 5,
        spellcheck: "false",
        class: "numbers",
        value: JSON.stringify(examples[0]?.[1] ?? {}, null, 2),
      })
    : null;
  const chooser =
    examples.length > 1
      ? el(
          "select",
          { onchange: () => (area.value = JSON.stringify(examples[Number(chooser.value)][1], null, 2)) },
          examples.map(([name], i) => el("option", { value: i }, name)),
        )
      : null;
  const boxes = parameters.map((of) => [
    of.name,
    of.in,
    el("input", { type: "text", value: resolved(of.schema).default ?? "" }),
  ]);
  async function send() {
    wrong.replaceChildren();
    answer.hidden = true;
    try {
      let target = path;
      const query = new URLSearchParams();
      for (const [name, where, box] of boxes) {
        if (where === "path") target = target.replace(`{${name}}`, encodeURIComponent(box.value));
        else if (where === "query" && box.value) query.set(name, box.value);
      }
      const begun = performance.now();
      const response = await fetch(address(target.slice(1) + (query.size ? `?${query}` : "")), {
        method: method.toUpperCase(),
        headers: { ...headers(), ...(area ? { "content-type": "application/json" } : {}) },
        body: area ? area.value : undefined,
      });
      const text = await response.text();
      try {
        answer.textContent = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        answer.textContent = text.slice(0, 20_000);
      }
      answer.hidden = false;
      said.textContent = `${response.status} ${response.statusText} in ${Math.max(1, Math.round(performance.now() - begun))} ms`;
    } catch {
      said.textContent = "";
      wrong.replaceChildren(problemBox(new Problem(0, "The server cannot be reached."), send));
    }
  }
  return el(
    "details",
    {},
    el("summary", {}, "Try it"),
    el(
      "div",
      { class: "stack" },
      boxes.map(([name, , box]) => field(name, box)),
      chooser && field("Example", chooser),
      area && field("Body", area),
      el("div", { class: "row" }, button("Send", send, { class: "primary" }), said),
      wrong,
      answer,
    ),
  );
}

function operationOf(path, method, operation) {
  const body = operation.requestBody?.content?.["application/json"];
  const answers = Object.entries(operation.responses ?? {});
  const good = answers.find(([status]) => status.startsWith("2"));
  const answer = good?.[1].content?.["application/json"]?.schema;
  if (body && !leavesOfModel(body.schema).length) return null; // other models are asked this
  const said = `${method.toUpperCase()} ${path}`;
  const answered = answer ? fieldsOf(answer, `Answer: ${said}`) : [];
  return el(
    "section",
    { class: "card operation" },
    el("h2", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), " ", el("code", {}, path)),
    (operation.description || operation.summary) && el("p", {}, operation.description || operation.summary),
    body && fieldsOf(body.schema, `Request: ${said}`),
    el(
      "details",
      {},
      el("summary", {}, "Answers"),
      answer && (answered.length ? answered : el("p", { class: "hint" }, kindOf(answer))),
      table(
        `Status codes: ${said}`,
        ["Status", "Meaning"],
        answers.map(([status, of]) => [el("code", {}, status), (of.description ?? "").replaceAll("`", "")]),
      ),
    ),
    trial(method, path, body, operation.parameters ?? []),
  );
}

function askForKey() {
  const box = el("input", { type: "password", autocomplete: "off" });
  place["key-place"].hidden = false;
  place["key-place"].replaceChildren(
    field(
      "API key",
      box,
      "this server answers only to who has one; it is kept until this tab of the browser is closed",
    ),
    el(
      "div",
      { class: "row" },
      button("Use this key", () => (key.set(box.value.trim()), load()), { class: "primary" }),
    ),
  );
}

async function load() {
  place.notice.replaceChildren();
  place["key-place"].hidden = true;
  try {
    description = await ask("openapi.json");
  } catch (problem) {
    if (problem.status === 401) askForKey();
    else place.notice.replaceChildren(problemBox(problem, load));
    return;
  }
  models = (await ask("models")).models.map((of) => of.name);
  chosen = models.includes(chosen) ? chosen : models[0];
  place.version.textContent = `version ${description.info.version}`;
  place.model.replaceChildren(...models.map((name) => el("option", { value: name }, name)));
  place.chooser.hidden = models.length < 2;
  show();
}

function show() {
  const all = Object.entries(description.paths).flatMap(([path, of]) =>
    METHODS.filter((method) => of[method]).map((method) => operationOf(path, method, of[method])),
  );
  place.operations.replaceChildren(...all.filter(Boolean));
}

place.model.addEventListener("change", () => {
  chosen = place.model.value;
  show();
});

load();
