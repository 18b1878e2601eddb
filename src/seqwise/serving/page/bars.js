// Probabilities of classes as bars, with the thresholds of the decision marked on them.

import { button, el, percent } from "./dom.js";

const FEW = 12;

export class Bars {
  /** @param {object|null} thresholds of each class, where the decision has some */
  constructor(thresholds = null) {
    this.thresholds = thresholds;
    this.rows = new Map();
    this.all = false;
    this.list = el("ol", { class: "bars" });
    this.more = button("", () => this.toggle(), { class: "quiet small", hidden: true });
    this.element = el("div", {}, this.list, this.more);
  }

  /**
   * @param {object} probabilities by class
   * @param {Set<string>} chosen classes that were answered
   * @param {number|null} floor below which there is no answer
   */
  show(probabilities, chosen, floor = null) {
    this.last = [probabilities, chosen, floor];
    const order = Object.entries(probabilities).sort(
      (a, b) => Number(chosen.has(b[0])) - Number(chosen.has(a[0])) || b[1] - a[1],
    );
    const shown = this.all ? order : order.slice(0, Math.max(FEW, chosen.size));
    for (const [name, row] of this.rows) {
      if (!shown.some(([of]) => of === name)) {
        row.element.remove();
        this.rows.delete(name);
      }
    }
    shown.forEach(([name, share], place) => {
      const row = this.rows.get(name) ?? this.add(name);
      const picked = chosen.has(name);
      row.element.classList.toggle("chosen", picked);
      row.mark.textContent = picked ? "✓" : "";
      row.said.textContent = picked ? "chosen" : "";
      row.value.textContent = percent(share);
      row.track.style.setProperty("--share", share);
      row.track.style.setProperty("--floor", floor ?? 0);
      row.track.classList.toggle("floored", floor !== null);
      if (this.list.children[place] !== row.element)
        this.list.insertBefore(row.element, this.list.children[place] ?? null);
    });
    this.more.hidden = order.length <= FEW;
    this.more.textContent = this.all ? "Show fewer" : `Show all ${order.length}`;
  }

  add(name) {
    const threshold = this.thresholds?.[name];
    const known = Number.isFinite(threshold);
    const row = {
      mark: el("span", { class: "mark", "aria-hidden": "true" }),
      said: el("span", { class: "unseen" }),
      value: el("span", { class: "value" }),
      track: el("span", { class: known ? "track marked" : "track", vars: known ? { threshold } : {} }),
    };
    row.element = el(
      "li",
      { "data-class": name },
      el("span", { class: "name", title: name, dir: "auto" }, name, row.mark),
      row.track,
      row.value,
      row.said,
      known && el("span", { class: "unseen" }, `threshold ${percent(threshold)}`),
    );
    this.rows.set(name, row);
    return row;
  }

  toggle() {
    this.all = !this.all;
    this.show(...this.last);
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
    this.more.hidden = true;
  }
}
