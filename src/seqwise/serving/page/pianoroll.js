// A piece of music as it comes: a column for each step, a row for each pitch.

import { el } from "./dom.js";

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const ROW = 6; // pixels of a pitch
const STEP = 12; // pixels of a step, at the most
const MARGIN = 3; // pitches above and below

export function pitchName(pitch) {
  return `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export class PianoRoll {
  constructor() {
    this.canvas = el("canvas", { role: "img", "aria-label": "No notes yet" });
    this.said = el("p", { class: "hint" });
    this.element = el("div", { class: "roll", hidden: true }, this.canvas, this.said);
    this.themed = () => this.draw();
    document.addEventListener("theme", this.themed);
    this.clear();
  }

  clear() {
    this.chords = [];
    this.element.hidden = true;
  }

  add(pitches) {
    this.chords.push(pitches);
    this.element.hidden = false;
    this.said.textContent = `Step ${this.chords.length}: ${pitches.map(pitchName).join(" ") || "a rest"}`;
    this.draw();
  }

  draw() {
    const all = this.chords.flat();
    if (!all.length) return;
    const low = Math.min(...all) - MARGIN;
    const high = Math.max(...all) + MARGIN;
    const width = this.element.clientWidth;
    const height = (high - low + 1) * ROW;
    const step = Math.min(STEP, width / this.chords.length);
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    this.canvas.setAttribute(
      "aria-label",
      `${this.chords.length} steps, from ${pitchName(low + MARGIN)} to ${pitchName(high - MARGIN)}`,
    );
    const style = getComputedStyle(this.element);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.strokeStyle = style.borderTopColor;
    for (let pitch = low; pitch <= high; pitch += 1) {
      if (pitch % 12) continue;
      pen.beginPath();
      pen.moveTo(0, (high - pitch + 0.5) * ROW);
      pen.lineTo(width, (high - pitch + 0.5) * ROW);
      pen.stroke();
    }
    pen.fillStyle = style.color;
    this.chords.forEach((pitches, i) => {
      for (const pitch of pitches) {
        const goesOn = this.chords[i + 1]?.includes(pitch); // the next step has it, too: drawn as one note
        pen.fillRect(i * step, (high - pitch) * ROW, goesOn ? step + 0.5 : Math.max(1, step - 1), ROW - 1);
      }
    });
  }

  close() {
    document.removeEventListener("theme", this.themed);
  }
}
