// Elements are built here and nowhere else. Text is set as text: whatever a model, a card or a user says is never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars")
      for (const [key, part] of Object.entries(value)) element.style.setProperty(`--${key}`, part);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** An element: `on…` are listeners, `vars` are CSS variables, children are elements or text. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

let numbered = 0;

/** An id for this page; they are counted, so that they are the same on every visit. */
export function newId(what) {
  numbered += 1;
  return `${what}-${numbered}`;
}

/** A labelled control: label above, hint below. */
export function field(label, control, hint = null) {
  control.id ||= newId("field");
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return el(
    "div",
    { class: "field" },
    el("label", { for: control.id }, label),
    control,
    hint && el("p", { class: "hint", id: `${control.id}-hint` }, hint),
  );
}

/** A choice among a few, as a group of radio buttons that looks like one control. */
export function choice(label, options, chosen, changed) {
  const name = newId("choice");
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", {}, label),
    el(
      "div",
      { class: "options" },
      options.map(([value, text]) =>
        el(
          "label",
          {},
          el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => changed(value) }),
          el("span", {}, text),
        ),
      ),
    ),
  );
}

/** Something to open, which is open again when it is built anew: `state` remembers it under its title. */
export function foldout(state, title, ...children) {
  const toggled = (event) => (state[title] = event.target.open);
  return el("details", { open: state[title], ontoggle: toggled }, el("summary", {}, title), ...children);
}

/** A button. */
export function button(text, pressed, attributes = {}) {
  return el("button", { type: "button", class: "plain", onclick: pressed, ...attributes }, text);
}

/** A text cut at characters as the server counts them: whole code points, not halves of pairs. */
export function characters(text) {
  return Array.from(text);
}

/** A share of one as per cent, with as many digits as say something. */
export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1%";
  if (value > 99.9 && value < 100) return ">99.9%";
  return `${value.toFixed(1)}%`;
}

/** A number for people: about four digits that count. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const written =
    size !== 0 && (size < 0.001 || size >= 1e6)
      ? value.toExponential(2)
      : value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
  return written.replaceAll("-", "−");
}

/** Has the browser save a file. */
export function download(name, parts, type) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
