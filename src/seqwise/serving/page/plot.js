// Small plots as SVG, with a sentence in place of the picture for who does not see it.

import { el, number, svg } from "./dom.js";

const WIDTH = 640;
const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };

/** Round numbers that cover a range, about `count` of them. */
export function ticks(low, high, count = 4) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((of) => of * power).find((of) => of >= raw) ?? raw;
  const first = Math.ceil(low / step - 1e-9) * step;
  const found = [];
  for (let value = first; value <= high + step * 1e-6; value += step)
    found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return found;
}

function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  return [low, high];
}

/** The same, but never of width 0, which nothing could be drawn over. */
function span(values) {
  const [low, high] = range(values);
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/**
 * Lines over steps.
 * @param {{name: string, values: number[], start?: number, kind?: string}[]} lines `kind` is a class of the style sheet
 * @param {object} options height, label, band {low, high, start}, from (step of the vertical line), bounds [low, high], legend
 */
export function linePlot(
  lines,
  { height = 200, label = "", band = null, from = null, bounds = null, legend = false } = {},
) {
  const all = lines.flatMap((line) => line.values).concat(band ? [...band.low, ...band.high] : []);
  const [low, high] = bounds ?? span(all);
  const steps = Math.max(2, ...lines.map((line) => (line.start ?? 0) + line.values.length));
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  const x = (step) => MARGIN.left + (step / (steps - 1)) * inner.width;
  const y = (value) => MARGIN.top + (1 - (value - low) / (high - low)) * inner.height;
  const path = (values, start) => {
    let pen = "M";
    let drawn = "";
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) {
        pen = "M";
        return;
      }
      drawn += `${pen}${x(start + i).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    return drawn;
  };
  const grid = ticks(low, high, height > 120 ? 4 : 2).map((value) =>
    svg(
      "g",
      {},
      svg("line", { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, tickText(value)),
    ),
  );
  const bottom = ticks(0, steps - 1, 6)
    .filter((step) => Number.isInteger(step))
    .map((step) => svg("text", { x: x(step), y: height - 6, "text-anchor": "middle" }, String(step)));
  const shade =
    band &&
    svg("path", {
      class: "band",
      d: `${path(band.high, band.start)}${band.low
        .map((value, i) => [x(band.start + i), y(value)])
        .reverse()
        .map(([a, b]) => `L${a.toFixed(1)} ${b.toFixed(1)}`)
        .join("")}Z`,
    });
  const drawn = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, class: "plot", role: "img", "aria-label": label },
    grid,
    bottom,
    shade,
    from !== null &&
      svg("line", { x1: x(from), x2: x(from), y1: MARGIN.top, y2: MARGIN.top + inner.height, class: "now" }),
    lines.map((line, i) =>
      svg("path", { d: path(line.values, line.start ?? 0), class: `line ${line.kind ?? `line-${i % 6}`}` }),
    ),
  );
  if (!legend) return drawn;
  return el(
    "figure",
    { class: "figure" },
    drawn,
    el(
      "figcaption",
      { class: "legend" },
      lines.map((line, i) => el("span", { class: `key ${line.kind ?? `line-${i % 6}`}` }, line.name)),
    ),
  );
}

/** The shape of a sound: of each piece its lowest and its highest sample. */
export function wavePlot(samples, label, pieces = 300) {
  const size = Math.max(1, Math.ceil(samples.length / pieces));
  const count = Math.ceil(samples.length / size);
  const most = samples.reduce((found, value) => Math.max(found, Math.abs(value)), 1e-6);
  let drawn = "";
  for (let i = 0; i < count; i += 1) {
    const [low, high] = range(samples.subarray(i * size, (i + 1) * size));
    drawn += `M${i + 0.5} ${(50 - (48 * high) / most).toFixed(1)}V${(51 - (48 * low) / most).toFixed(1)}`;
  }
  return svg(
    "svg",
    { viewBox: `0 0 ${count} 100`, preserveAspectRatio: "none", class: "wave", role: "img", "aria-label": label },
    svg("path", { d: drawn }),
  );
}

function tickText(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return value.toExponential(0);
  return String(Number(value.toPrecision(4)));
}

/** A number on its scale. */
export function scalePlot(name, value, low, high) {
  const known = Number.isFinite(low) && Number.isFinite(high) && low < high;
  const at = known ? Math.max(0, Math.min(1, (value - low) / (high - low))) : null;
  return el(
    "div",
    { class: "scale" },
    el("div", { class: "scale-head" }, el("span", {}, name), el("strong", {}, number(value))),
    known &&
      svg(
        "svg",
        {
          viewBox: `0 0 ${WIDTH} 34`,
          class: "plot",
          role: "img",
          "aria-label": `${name}: ${number(value)} of ${low} to ${high}`,
        },
        svg("line", { x1: 10, x2: WIDTH - 10, y1: 10, y2: 10, class: "axis" }),
        ticks(low, high, 8).map((tick) => {
          const x = 10 + ((tick - low) / (high - low)) * (WIDTH - 20);
          return svg(
            "g",
            {},
            svg("line", { x1: x, x2: x, y1: 7, y2: 13, class: "axis" }),
            svg("text", { x, y: 30, "text-anchor": "middle" }, tickText(tick)),
          );
        }),
        svg("circle", { cx: 10 + at * (WIDTH - 20), cy: 10, r: 7, class: "dot" }),
      ),
  );
}
