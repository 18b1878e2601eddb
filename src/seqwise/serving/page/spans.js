// Texts with parts of them marked: entities in place, and what each token is worth.

import { characters, el, number, percent } from "./dom.js";

const HUES = 8;

/** A colour for each type, the same wherever it stands; the type is written beside, colour alone says nothing. */
export class Hues {
  constructor() {
    this.known = new Map();
  }

  of(type) {
    if (!this.known.has(type)) this.known.set(type, this.known.size % HUES);
    return `hue-${this.known.get(type)}`;
  }
}

/** A text with its entities marked where they stand. */
export function markedText(text, entities, hues) {
  const letters = characters(text);
  const parts = [];
  let place = 0;
  for (const entity of [...entities].sort((a, b) => a.start - b.start)) {
    if (entity.start < place) continue;
    parts.push(letters.slice(place, entity.start).join(""));
    parts.push(
      el(
        "mark",
        { class: `entity ${hues.of(entity.entity_group)}`, title: `${entity.entity_group}, ${percent(entity.score)}` },
        letters.slice(entity.start, entity.end).join(""),
        el("span", { class: "type" }, entity.entity_group),
      ),
    );
    place = entity.end;
  }
  parts.push(letters.slice(place).join(""));
  return el("p", { class: "marked", dir: "auto" }, parts);
}

/**
 * A text whose tokens are shaded by a value: for and against have colours of their own, and lines of their own below them.
 * @param {{text: string, start?: number, end?: number, value: number}[]} tokens
 * @param {object} options `signed`: values have a sign; `most`: the value of the deepest shade; `say`: of a token's value
 */
export function shadedText(text, tokens, { signed = true, most = null, say = number } = {}) {
  const letters = characters(text ?? "");
  const deepest = most ?? Math.max(1e-12, ...tokens.map((token) => Math.abs(token.value)));
  const parts = [];
  let place = 0;
  for (const token of tokens) {
    const placed = Number.isInteger(token.start) && Number.isInteger(token.end) && token.start >= place;
    if (placed) parts.push(letters.slice(place, token.start).join(""));
    const share = Math.min(1, Math.abs(token.value) / deepest);
    const side = share < 0.02 ? "none" : !signed ? "much" : token.value > 0 ? "for" : "against";
    const written = placed && token.end > token.start ? letters.slice(token.start, token.end).join("") : token.text;
    parts.push(
      el(
        "span",
        { class: `token ${side}`, vars: { share: share.toFixed(3) }, title: `${written}: ${say(token.value)}` },
        written,
      ),
    );
    if (placed) place = token.end;
    else parts.push(" ");
  }
  parts.push(letters.slice(place).join(""));
  return el("p", { class: "shaded", dir: "auto" }, parts);
}

/** Rows under a head, as a table that scrolls within itself. */
export function table(caption, head, rows, { numeric = [] } = {}) {
  return el(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", { class: "unseen" }, caption),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head.map((name, i) => el("th", { scope: "col", class: numeric.includes(i) ? "number" : null }, name)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((row) =>
          el(
            "tr",
            {},
            row.map((cell, i) => el("td", { class: numeric.includes(i) ? "number" : null, dir: "auto" }, cell)),
          ),
        ),
      ),
    ),
  );
}
