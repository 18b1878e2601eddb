// Numbers over steps and units as a picture on a canvas, with a cursor that the mouse, a finger or the arrow keys move.

import { el, number } from "./dom.js";

const LABELS = 64; // pixels below the cells for symbols that are written downwards
const FLAT = 22; // the same where all of them fit side by side
const LEAST = 12; // pixels of a column that has a symbol below it
const MOST_HEIGHT = 420;
const TABLE_STEPS = 40;

/** The parts of a colour of the style sheet, as the theme has it now. */
function colour(element, name) {
  const probe = el("span", { class: `colour-${name}` });
  element.append(probe);
  const parts = getComputedStyle(probe)
    .color.match(/[\d.]+/g)
    .slice(0, 3)
    .map(Number);
  probe.remove();
  return parts;
}

export class HeatMap {
  /** @param {(step: number, unit: number) => Node[]} describe what is said of the cell under the cursor */
  constructor(describe) {
    this.describe = describe;
    this.rows = null; // steps x units
    this.cursor = { step: 0, unit: 0 };
    this.canvas = el("canvas", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "heat map",
      "aria-label": "Activations over time; the arrow keys move the cursor",
      onkeydown: (event) => this.pressed(event),
      onpointermove: (event) => this.pointed(event),
      onpointerdown: (event) => this.pointed(event),
    });
    this.readout = el("div", { class: "readout", "aria-live": "polite" });
    this.numbers = el("div");
    this.details = el("details", { ontoggle: () => this.fillTable() }, el("summary", {}, "As a table"), this.numbers);
    this.box = el("div", { class: "heat" }, this.canvas);
    this.scale = el("p", { class: "heat-scale" });
    this.element = el("div", {}, this.box, this.scale, this.readout, this.details);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.box);
    this.themed = () => this.draw();
    document.addEventListener("theme", this.themed);
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("theme", this.themed);
  }

  /**
   * @param {number[][]} rows steps x units
   * @param {string[]} symbols one a step
   * @param {number[]|null} units their numbers
   * @param {boolean} signed values have a sign and their shades meet at 0; otherwise they go from 0 to 1
   */
  show(rows, symbols, signed, units = null) {
    Object.assign(this, { rows, symbols, signed, units: units ?? rows[0].map((_, unit) => unit + 1) });
    this.cursor.step = Math.min(this.cursor.step, rows.length - 1);
    this.cursor.unit = Math.min(this.cursor.unit, rows[0].length - 1);
    this.most = 1e-9;
    for (const row of rows) for (const value of row) this.most = Math.max(this.most, Math.abs(value));
    this.scale.replaceChildren(
      el("span", {}, signed ? number(-this.most) : "0"),
      el("span", { class: signed ? "shades both" : "shades", "aria-hidden": "true" }),
      el("span", {}, signed ? number(this.most) : "1"),
    );
    this.draw();
    this.say();
    this.fillTable();
  }

  draw() {
    const width = this.box.clientWidth;
    if (!this.rows || !width) return;
    const steps = this.rows.length;
    const units = this.rows[0].length;
    const cell = width / steps;
    const pen = this.canvas.getContext("2d");
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.font = font;
    const flat = this.symbols.every((symbol) => pen.measureText(symbol).width <= cell - 4);
    const labels = flat ? FLAT : cell >= LEAST ? LABELS : 0;
    const tall = Math.max(3, Math.min(18, Math.floor(MOST_HEIGHT / units)));
    const height = units * tall;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round((height + labels) * ratio);
    this.canvas.style.height = `${height + labels}px`;
    this.size = { cell, tall, height };
    pen.scale(ratio, ratio);
    const shades = {
      ground: colour(this.box, "ground"),
      up: colour(this.box, "for"),
      down: colour(this.box, "against"),
    };
    for (let step = 0; step < steps; step += 1) {
      for (let unit = 0; unit < units; unit += 1) {
        const value = this.rows[step][unit];
        const share = Math.min(1, this.signed ? Math.abs(value) / this.most : Math.max(0, value));
        const end = this.signed && value < 0 ? shades.down : shades.up;
        const parts = shades.ground.map((from, i) => Math.round(from + (end[i] - from) * share));
        pen.fillStyle = `rgb(${parts.join(" ")})`;
        const left = Math.floor(step * cell);
        pen.fillRect(left, unit * tall, Math.floor((step + 1) * cell) - left, tall);
      }
    }
    if (labels) {
      pen.fillStyle = `rgb(${colour(this.box, "ink").join(" ")})`;
      pen.font = font;
      pen.textBaseline = "middle";
      this.symbols.forEach((symbol, step) => {
        pen.save();
        pen.translate((step + 0.5) * cell, height + 6);
        const written = symbol === " " ? "␣" : symbol;
        if (flat) {
          pen.textAlign = "center";
          pen.fillText(written, 0, 8);
        } else {
          pen.rotate(Math.PI / 2);
          pen.fillText(shortened(pen, written, LABELS - 8), 0, 0);
        }
        pen.restore();
      });
    }
    pen.strokeStyle = `rgb(${colour(this.box, "ink").join(" ")})`;
    pen.lineWidth = 2;
    pen.strokeRect(this.cursor.step * cell, this.cursor.unit * tall, Math.max(cell, 3), Math.max(tall, 3));
  }

  pointed(event) {
    if (!this.size) return;
    const place = this.canvas.getBoundingClientRect();
    this.move(
      Math.floor((event.clientX - place.left) / this.size.cell),
      Math.floor((event.clientY - place.top) / this.size.tall),
    );
  }

  pressed(event) {
    const { step, unit } = this.cursor;
    const jump = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: [step - jump, unit],
      ArrowRight: [step + jump, unit],
      ArrowUp: [step, unit - jump],
      ArrowDown: [step, unit + jump],
      Home: [0, unit],
      End: [Infinity, unit],
    }[event.key];
    if (!to || !this.rows) return;
    event.preventDefault();
    this.move(...to);
  }

  move(step, unit) {
    const to = {
      step: Math.max(0, Math.min(this.rows.length - 1, step)),
      unit: Math.max(0, Math.min(this.rows[0].length - 1, unit)),
    };
    if (to.step === this.cursor.step && to.unit === this.cursor.unit) return;
    this.cursor = to;
    this.draw();
    this.say();
  }

  say() {
    this.readout.replaceChildren(...this.describe(this.cursor.step, this.cursor.unit));
  }

  fillTable() {
    if (!this.details.open || !this.rows) return;
    const units = this.units.map((unit) => `unit ${unit}`);
    this.numbers.replaceChildren(
      el(
        "div",
        { class: "scroller", tabindex: "0", role: "region", "aria-label": "Activations as a table" },
        el(
          "table",
          {},
          el("caption", { class: "unseen" }, "Activations: a row for each step"),
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              ["Step", "Symbol", ...units].map((name) => el("th", { scope: "col" }, name)),
            ),
          ),
          el(
            "tbody",
            {},
            this.rows.slice(0, TABLE_STEPS).map((row, step) =>
              el(
                "tr",
                {},
                el("th", { scope: "row" }, String(step + 1)),
                el("td", {}, this.symbols[step]),
                row.map((value) => el("td", { class: "number" }, number(value))),
              ),
            ),
          ),
        ),
      ),
      this.rows.length > TABLE_STEPS
        ? el("p", { class: "hint" }, `The first ${TABLE_STEPS} of ${this.rows.length} steps.`)
        : "",
    );
  }
}

function shortened(pen, text, width) {
  let letters = Array.from(text);
  while (letters.length > 1 && pen.measureText(`${letters.join("")}…`).width > width) letters = letters.slice(0, -1);
  return letters.length < Array.from(text).length ? `${letters.join("")}…` : text;
}
