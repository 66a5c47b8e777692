// Axes, scales and the place of a chart.

const MARGIN = { left: 64, right: 18, top: 14, bottom: 46 };

/** Round numbers between LOW and HIGH, about COUNT of them. */
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let place = Math.ceil(low / step); place * step <= high + step * 1e-9; place += 1) {
    found.push(place * step);
  }
  return { step, values: found };
}

function tickText(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e5 || step < 1e-4) return minus(value.toExponential(1));
  return minus(value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))));
}

/** The lowest and highest of VALUES with some room beside them. */
function extent(values, room) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!known(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const space = low < high ? (high - low) * room : Math.abs(high) * 0.1 || 1;
  return [low - space, high + space];
}

/** An empty chart with axes. `x(value)` and `y(value)` are places in pixels. */
function chart({ width, height, xs, ys, xLabel, yLabel, title }) {
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const x = (value) => MARGIN.left + ((value - xs[0]) / (xs[1] - xs[0])) * (right - MARGIN.left);
  const y = (value) => bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (bottom - MARGIN.top);
  const svg = shape("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title,
  });
  const grid = shape("g", { class: "grid" });
  const text = shape("g", { class: "axis" });
  const across = ticks(xs[0], xs[1], width / 110);
  for (const value of across.values) {
    grid.append(shape("line", { x1: x(value), x2: x(value), y1: MARGIN.top, y2: bottom }));
    text.append(shape("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" },
      tickText(value, across.step)));
  }
  const up = ticks(ys[0], ys[1], height / 60);
  for (const value of up.values) {
    grid.append(shape("line", { x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }));
    text.append(shape("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" },
      tickText(value, up.step)));
  }
  text.append(
    shape("text", { class: "label", x: (MARGIN.left + right) / 2, y: height - 8,
      "text-anchor": "middle" }, xLabel),
    shape("text", { class: "label", "text-anchor": "middle",
      transform: `translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)` }, yLabel),
  );
  const plot = shape("g");
  svg.append(grid, text, plot);
  return { svg, plot, x, y, left: MARGIN.left, right, top: MARGIN.top, bottom };
}

/** Draw into HOLDER now, and again when its width changes. */
function drawn(holder, draw) {
  let width = 0;
  const redraw = () => {
    width = Math.round(holder.clientWidth);
    if (width > 0) holder.replaceChildren(draw(width));
  };
  new ResizeObserver(() => {
    if (Math.round(holder.clientWidth) !== width) redraw();
  }).observe(holder);
  return redraw;
}
