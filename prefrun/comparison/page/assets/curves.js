// Learning curves: a line per configuration, a band over its seeds.

const FIRST_CURVES = 7;

function drawCurves() {
  const curves = payload("curves");
  if (!curves.metrics.length) {
    body("curves").append(el("p", {}, "No finished run logged any step."));
    return;
  }
  const ranked = view.order.filter((row) => curves.rows[row].some(known));
  const state = { metric: 0, band: "range", rows: new Set(ranked.slice(0, FIRST_CURVES)) };
  const holder = el("div", { class: "chart" });
  const readout = el("p", { class: "readout", "aria-live": "off" });
  const redraw = drawn(holder, (width) => curveChart(curves, state, width, readout));
  const set = (key) => (value) => {
    state[key] = key === "metric" ? Number(value) : value;
    redraw();
  };
  const seeds = curves.rows.some((row) => row.some((curve) => curve && curve.length > 2));
  const bands = [["range", "lowest to highest"], ["error", "± standard error"], ["none", "none"]];
  const names = curves.metrics.map(([name], index) => [index, name]);
  body("curves").append(
    el("div", { class: "controls" }, chooser("Metric", names, 0, set("metric")),
      seeds ? chooser("Band over seeds", bands, "range", set("band")) : null),
    el("div", { class: "beside" }, el("div", {}, holder, readout),
      curveLegend(ranked, state, redraw)),
    el("p", { class: "hint" }, curveHint(curves, seeds)),
  );
  redraw();
}

function curveHint(curves, seeds) {
  const parts = [seeds ? "Lines are means over seeds." : "",
    `A curve has at most ${curves.points} points, evenly drawn from the logged steps.`];
  return parts.join(" ");
}

function curveLegend(ranked, state, redraw) {
  const boxes = ranked.map((row) => {
    const words = el("span", {}, lineSample(row), breakable(labels[row]));
    return checkbox(words, state.rows.has(row), (on) => {
      if (on) state.rows.add(row);
      else state.rows.delete(row);
      redraw();
    });
  });
  const all = (on) => () => {
    state.rows = new Set(on ? ranked : []);
    for (const box of boxes) box.firstChild.checked = on;
    redraw();
  };
  return el("fieldset", { class: "lines" }, el("legend", {}, "Configurations"),
    el("div", {}, el("button", { type: "button", onclick: all(true) }, "All"), " ",
      el("button", { type: "button", onclick: all(false) }, "None")), boxes);
}

function lineSample(row) {
  return shape("svg", { width: 28, height: 10, class: "sample", "aria-hidden": "true" },
    shape("line", { x1: 1, x2: 27, y1: 5, y2: 5, class: `line ${colour(row)}`,
      "stroke-dasharray": dashes(row) }));
}

/** The ends of a curve's band; null where there is none. */
function bandOf([, means, lows, highs, errors], band) {
  if (!lows || band === "none") return null;
  if (band === "range") return [lows, highs];
  return [means.map((mean, at) => mean - errors[at]), means.map((mean, at) => mean + errors[at])];
}

function curveChart(curves, state, width, readout) {
  const [, words, unit] = curves.metrics[state.metric];
  const shown = view.order.filter((row) => state.rows.has(row) && curves.rows[row][state.metric]);
  const lines = shown.map((row) => {
    const curve = curves.rows[row][state.metric];
    return { row, steps: curves.steps[curve[0]], means: curve[1], band: bandOf(curve, state.band) };
  });
  const made = chart({
    width, height: 380, xLabel: "step", yLabel: withUnit(words, unit),
    xs: extent(lines.flatMap((line) => [line.steps[0], line.steps.at(-1)]), 0),
    ys: extent(lines.flatMap((line) => [...line.means, ...(line.band ?? []).flat()]), 0.05),
    title: `${words} by step, ${lines.length} configurations`,
  });
  for (const { row, steps, band } of lines) {
    if (band) made.plot.append(bandShape(made, row, steps, band));
  }
  for (const { row, steps, means } of lines) {
    made.plot.append(steps.length > 1
      ? shape("path", { d: pathOf(made, steps, means), class: `line ${colour(row)}`,
        "stroke-dasharray": dashes(row) })
      : shape("circle", { cx: made.x(steps[0]), cy: made.y(means[0]), r: 4,
        class: `dot ${colour(row)}` }));
  }
  addReadout(made, lines, readout);
  return made.svg;
}

function pathOf(made, steps, values) {
  return steps.map((step, at) =>
    `${at ? "L" : "M"}${made.x(step).toFixed(1)} ${made.y(values[at]).toFixed(1)}`).join("");
}

function bandShape(made, row, steps, [lows, highs]) {
  const back = pathOf(made, [...steps].reverse(), [...lows].reverse()).replace("M", "L");
  return shape("path", { d: `${pathOf(made, steps, highs)}${back}Z`, class: `band ${colour(row)}` });
}

/** Under the chart, the values at the step below the pointer. */
function addReadout(made, lines, readout) {
  const hint = lines.length ? "Point at the chart to read values." : "Choose a configuration.";
  readout.replaceChildren(hint);
  const cursor = shape("line", {
    class: "cursor", y1: made.top, y2: made.bottom, visibility: "hidden",
  });
  made.plot.append(cursor);
  made.svg.addEventListener("pointermove", (event) => {
    const place = event.clientX - made.svg.getBoundingClientRect().left;
    const near = (line) => line.steps.reduce((best, step, at) =>
      Math.abs(made.x(step) - place) < Math.abs(made.x(line.steps[best]) - place) ? at : best, 0);
    if (!lines.length) return;
    const step = lines[0].steps[near(lines[0])];
    cursor.setAttribute("x1", made.x(step));
    cursor.setAttribute("x2", made.x(step));
    cursor.setAttribute("visibility", "visible");
    const parts = lines.slice(0, 12).map((line) =>
      el("span", {}, lineSample(line.row), ` ${shorten(labels[line.row], 40)} `,
        el("b", {}, number(line.means[near(line)]))));
    readout.replaceChildren(`step ${step}: `, ...parts);
  });
  made.svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    readout.replaceChildren(hint);
  });
}
