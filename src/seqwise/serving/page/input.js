// What a model reads, as somebody gives it: text, several columns, numbers, or a sound.

import { Problem } from "./api.js";
import { button, characters, el, field, number } from "./dom.js";
import { linePlot, wavePlot } from "./plot.js";
import { canRecord, fromBase64, readSound, record, wavBase64 } from "./sound.js";

const MOST_NUMBERS_SHOWN = 600;
const SOUND = 3000; // steps a second from which frames are samples of sound

/** What kind of input a model reads, by the example that the server gives. */
export function kindOf(model) {
  const example = model.example ?? {};
  if ("fields" in example) return "fields";
  if ("tokens" in example && !("text" in example)) return "tokens";
  if ("series" in example) return "series";
  const samples = "frames" in example && !Array.isArray(example.frames[0]);
  if ("wav" in example || (samples && (model.rate ?? 0) >= SOUND)) return "sound";
  if ("frames" in example) return "frames";
  return "text";
}

/** The input of a model; `memory` is what is given to it on every tab, `changed` is told when it changes. */
export function createInput(model, memory, changed) {
  const kind = kindOf(model);
  const make = { text: textInput, tokens: textInput, fields: fieldsInput, sound: soundInput }[kind] ?? numbersInput;
  return make(model, memory, changed, kind);
}

function textInput(model, memory, changed, kind) {
  const example = kind === "tokens" ? (model.example?.tokens ?? []).join(" ") : (model.example?.text ?? "");
  memory.text ??= "";
  const count = el("span", { class: "count" });
  const area = el("textarea", {
    id: `text-${memory.next()}`,
    rows: model.unit === "characters" && characters(example).length < 60 ? 2 : 6,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    dir: "auto",
    placeholder: "Type or paste a text",
    oninput: () => {
      memory.text = area.value;
      recount();
      changed();
    },
  });
  const recount = () => {
    const size = characters(area.value).length;
    count.textContent = `${size.toLocaleString("en")} character${size === 1 ? "" : "s"}`;
  };
  const put = (text) => {
    area.value = memory.text = text;
    recount();
  };
  put(memory.text);
  return {
    element: el(
      "div",
      { class: "input" },
      field(kind === "tokens" ? "Tokens, with spaces between" : "Text", area),
      el(
        "div",
        { class: "row under" },
        button("Example", () => (put(example), changed()), { class: "quiet small" }),
        button("Clear", () => (put(""), changed(), area.focus()), { class: "quiet small" }),
        count,
      ),
    ),
    shown: () => put(memory.text),
    value: () => {
      if (!area.value.trim()) return null;
      return kind === "tokens" ? { tokens: area.value.trim().split(/\s+/) } : { text: area.value };
    },
  };
}

function fieldsInput(model, memory, changed) {
  memory.fields ??= Object.fromEntries(Object.keys(model.example.fields).map((name) => [name, ""]));
  const areas = Object.keys(model.example.fields).map((name) => {
    const area = el("textarea", {
      rows: 3,
      spellcheck: "false",
      dir: "auto",
      oninput: () => {
        memory.fields[name] = area.value;
        changed();
      },
    });
    return [name, area];
  });
  const put = () => areas.forEach(([name, area]) => (area.value = memory.fields[name]));
  put();
  const example = () => {
    Object.assign(memory.fields, model.example.fields);
    put();
    changed();
  };
  return {
    element: el(
      "div",
      { class: "input" },
      areas.map(([name, area]) => field(name, area)),
      el("div", { class: "row under" }, button("Example", example, { class: "quiet small" })),
    ),
    shown: put,
    value: () => (Object.values(memory.fields).some((text) => text.trim()) ? { fields: { ...memory.fields } } : null),
  };
}

/** Numbers out of JSON, or of lines with commas, semicolons, tabs or spaces between; words on the first line are a head. */
export function readNumbers(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (trimmed.startsWith("[")) {
    try {
      return checked(JSON.parse(trimmed));
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(422, "This is no list of numbers: a bracket or comma is wrong.");
    }
  }
  let lines = trimmed.split(/\r?\n/).map((line) =>
    line
      .trim()
      .split(/[\s,;]+/)
      .filter(Boolean),
  );
  if (lines.length > 1 && lines[0].every((part) => Number.isNaN(Number(part)))) lines = lines.slice(1);
  const rows = lines.map((line) => line.map(Number));
  return checked(rows.length === 1 || rows.every((row) => row.length === 1) ? rows.flat() : rows);
}

function checked(rows) {
  const flat = rows.flat();
  if (!flat.length || flat.some((value) => value !== null && !Number.isFinite(value)))
    throw new Problem(422, "These are not all numbers.");
  return rows;
}

function numbersInput(model, memory, changed, kind) {
  const example = model.example?.[kind] ?? [];
  memory.numbers ??= example;
  const name = kind === "series" ? "Series" : "Frames";
  const area = el("textarea", { rows: 6, spellcheck: "false", class: "numbers", oninput: typed });
  const picture = el("div", { class: "given" });
  const facts = el("p", { class: "hint" });
  const chooser = el("input", { type: "file", accept: ".csv,.tsv,.txt,.json", onchange: () => read(chooser.files[0]) });
  const beside = model.example?.known
    ? el("textarea", {
        rows: 3,
        spellcheck: "false",
        class: "numbers",
        oninput: () => changed(),
        value: written(model.example.known),
      })
    : null;
  let problem = null;

  function written(rows) {
    const one = rows.every((row) => !Array.isArray(row));
    return one ? rows.map(short).join(", ") : rows.map((row) => row.map(short).join(", ")).join("\n");
  }
  function short(value) {
    return value === null ? "" : String(Math.round(value * 1e4) / 1e4);
  }
  function put(rows) {
    memory.numbers = rows;
    problem = null;
    const size = rows.flat().length;
    area.value = size <= MOST_NUMBERS_SHOWN ? written(rows) : "";
    area.placeholder = size <= MOST_NUMBERS_SHOWN ? "" : `${size.toLocaleString("en")} numbers; paste others here`;
    draw();
  }
  function draw() {
    const rows = memory.numbers ?? [];
    const channels = Array.isArray(rows[0]) ? rows[0].length : 1;
    facts.textContent = rows.length
      ? `${rows.length.toLocaleString("en")} steps${channels > 1 ? ` of ${channels} numbers` : ""}`
      : "One step a line, numbers with commas between.";
    const lines = Array.from({ length: Math.min(channels, 6) }, (_, c) => ({
      name: `channel ${c + 1}`,
      values: rows.map((row) => (Array.isArray(row) ? row[c] : row)),
    }));
    picture.replaceChildren(rows.length > 1 ? linePlot(lines, { height: 90, label: `${rows.length} steps` }) : "");
  }
  function typed() {
    try {
      memory.numbers = readNumbers(area.value) ?? [];
      problem = null;
      draw();
    } catch (error) {
      problem = error;
    }
    changed();
  }
  async function read(file) {
    if (!file) return;
    try {
      put(readNumbers(await file.text()) ?? []);
    } catch (error) {
      problem = error;
    }
    changed();
  }
  put(memory.numbers);
  const element = el(
    "div",
    { class: "input" },
    field(name, area),
    facts,
    picture,
    beside && field(`Known: ${(model.known ?? []).join(", ")}`, beside, "of every step given, and of the steps ahead"),
    el(
      "div",
      { class: "row under" },
      button("Example", () => (put(example), changed()), { class: "quiet small" }),
      el("label", { class: "quiet small file" }, chooser, "Open a file"),
    ),
  );
  acceptsDrops(element, read);
  return {
    element,
    shown: () => put(memory.numbers),
    value: () => {
      if (problem) throw problem;
      if (!memory.numbers?.length) return null;
      const known = kind === "series" && model.example.known ? { known: readNumbers(beside.value) ?? [] } : {};
      return { [kind]: memory.numbers, ...known };
    },
  };
}

function soundInput(model, memory, changed) {
  const rate = model.rate;
  const said = el("p", { class: "hint", role: "status" });
  const picture = el("div", { class: "given" });
  const player = el("audio", { controls: true, hidden: true });
  const chooser = el("input", {
    type: "file",
    accept: ".wav,audio/*",
    onchange: () => open(chooser.files[0]),
  });
  let recording = null;
  let wrong = null;

  function draw() {
    const sound = memory.sound;
    if (!sound) {
      said.textContent = "Drop a .wav file here, or choose one.";
      picture.replaceChildren();
      player.hidden = true;
      return;
    }
    said.textContent = `${sound.name}: ${number(sound.samples.length / sound.rate)} seconds at ${sound.rate.toLocaleString("en")} Hz`;
    picture.replaceChildren(wavePlot(sound.samples, `Waveform of ${sound.name}`));
    player.hidden = !sound.blob;
    if (sound.blob && player.dataset.of !== sound.name) {
      URL.revokeObjectURL(player.src);
      player.src = URL.createObjectURL(sound.blob);
      player.dataset.of = sound.name;
    }
  }
  async function open(blob, name = blob?.name) {
    if (!blob) return;
    wrong = null;
    try {
      memory.sound = { ...(await readSound(blob, rate)), name, blob };
      player.dataset.of = "";
    } catch (error) {
      wrong = error;
    }
    draw();
    changed();
  }
  async function toggle() {
    if (recording) {
      recording.stop();
      return;
    }
    try {
      recording = await record();
    } catch (error) {
      wrong = error;
      changed();
      return;
    }
    microphone.textContent = "Stop recording";
    microphone.classList.add("live");
    const blob = await recording.sound();
    recording = null;
    microphone.textContent = "Record";
    microphone.classList.remove("live");
    await open(blob, "recording");
  }
  const microphone = button("Record", toggle, { class: "plain", hidden: !canRecord() });
  async function example() {
    const given = model.example ?? {};
    if (given.wav) await open(new Blob([fromBase64(given.wav)], { type: "audio/wav" }), "example");
    else if (given.frames) {
      memory.sound = {
        samples: Float32Array.from(given.frames.flat()),
        rate: given.rate ?? rate,
        name: "example",
        frames: true,
      };
      draw();
      changed();
    }
  }
  const element = el(
    "div",
    { class: "input drop" },
    el("span", { class: "label" }, "Sound"),
    said,
    picture,
    player,
    el(
      "div",
      { class: "row" },
      el("label", { class: "plain file" }, chooser, "Choose a file"),
      microphone,
      (model.example?.wav || model.example?.frames) && button("Example", example, { class: "quiet small" }),
    ),
  );
  acceptsDrops(element, (file) => open(file));
  draw();
  return {
    element,
    shown: draw,
    hidden: () => (player.pause(), recording?.stop()),
    value: () => {
      if (wrong) throw wrong;
      const sound = memory.sound;
      if (!sound) return null;
      return sound.frames ? { ...model.example } : { wav: wavBase64(sound) };
    },
  };
}

/** Lets a file be dropped on an element. */
export function acceptsDrops(element, take) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (file) take(file);
  });
}
