// The model card. The server has rendered it with all HTML in it escaped; here it is built anew from elements of a list, so
// that two mistakes would be needed for a stranger's card to do anything but be read.

import { ask } from "./api.js";
import { statusLine } from "./asking.js";
import { el } from "./dom.js";

const ALLOWED = new Set(
  "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul".split(" "),
);

function rebuilt(node) {
  if (node.nodeType === Node.TEXT_NODE) return [node.data];
  if (node.nodeType !== Node.ELEMENT_NODE) return [];
  const name = node.localName;
  const children = [...node.childNodes].flatMap(rebuilt);
  if (!ALLOWED.has(name)) return children;
  if (name === "a") {
    const address = node.getAttribute("href") ?? "";
    if (!/^(https?:|mailto:)/i.test(address)) return children;
    return [el("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, children)];
  }
  if (name === "pre") return [el("pre", { tabindex: "0" }, children)];
  if (name === "table")
    return [
      el(
        "div",
        { class: "scroller", tabindex: "0", role: "region", "aria-label": "Table of the card" },
        el("table", {}, children),
      ),
    ];
  if (name === "th")
    return node.textContent.trim() ? [el("th", { scope: "col", class: align(node) }, children)] : [el("td", {})];
  if (name === "td") return [el("td", { class: align(node) }, children)];
  return [el(name, {}, children)];
}

function align(node) {
  return node.className === "number" ? "number" : null;
}

export function cardView(model) {
  const status = statusLine();
  const place = el("article", { class: "prose" });
  let loaded = false;
  async function load() {
    status.working();
    try {
      const told = await ask(`models/${encodeURIComponent(model.name)}`);
      const parsed = new DOMParser().parseFromString(told.card || "", "text/html");
      place.replaceChildren(...[...parsed.body.childNodes].flatMap(rebuilt));
      loaded = true;
      status.say(told.card ? "" : "This model has no card.");
    } catch (problem) {
      status.fail(problem, load);
    }
  }
  return {
    element: el("section", { class: "card", "aria-label": "Model card" }, place, status.element),
    shown: () => loaded || load(),
  };
}
