// Any metric or cost against any other, with the configurations that no other beats in both.

const LABEL_CHARACTERS = 34;
const LABEL_WIDTH = 6.1; // pixels of a character, about
const MOST_LABELS = 60;

function drawFrontier() {
  const [x, y] = firstAxes();
  if (!y) {
    body("frontier").append(el("p", {}, "There are no two metrics to compare."));
    return;
  }
  const state = { x, y };
  const options = columns.map((column, index) => [index, column.name]);
  const holder = el("div", { class: "chart" });
  const hint = el("p", { class: "hint" });
  const redraw = drawn(holder, (width) => {
    hint.textContent = frontierHint(state);
    return frontierChart(state, width);
  });
  const set = (axis) => (index) => {
    state[axis] = columns[index];
    redraw();
  };
  body("frontier").append(el("div", { class: "controls" },
    chooser("Across", options, columns.indexOf(x), set("x")),
    chooser("Up", options, columns.indexOf(y), set("y"))), holder, hint);
  redraw();
}

/** Reward against KL where both were measured, else the first quality against time. */
function firstAxes() {
  const named = (name) => columns.find((column) => column.name === name);
  const quality = named("reward") ?? columns.find((column) => column.direction === "max");
  const across = named("kl") ?? named("seconds")
    ?? columns.find((column) => column !== quality && column.direction !== "max");
  return [across ?? columns.find((column) => column !== quality), quality];
}

/** Whether less is better: true of costs, and taken so where no end is best, as for KL. */
function lessIsBetter(column) {
  return column.direction !== "max";
}

function frontierHint({ x, y }) {
  const words = (column) => `${lessIsBetter(column) ? "lower" : "higher"} ${column.name}`;
  const taken = [x, y].filter((column) => column.direction === "none");
  const names = taken.map((column) => column.name).join(" and ");
  const note = taken.length
    ? ` Neither end of ${names} is best; less is taken as better here.`
    : "";
  return `The line joins the configurations that no other beats both in ${words(x)} and in ` +
    `${words(y)}. Bars are standard errors.${note}`;
}

/** The points that no other is at least as good as in both and better in one, by x. */
function front(points, x, y) {
  const sign = (column) => (lessIsBetter(column) ? 1 : -1);
  const sorted = [...points].sort((a, b) =>
    sign(x) * (a.x - b.x) || sign(y) * (a.y - b.y));
  let last = null;
  return sorted.filter((point) => {
    const equal = last && point.x === last.x && point.y === last.y;
    if (last && !equal && sign(y) * (point.y - last.y) >= 0) return false;
    last = point;
    return true;
  });
}

function frontierPoints({ x, y }) {
  const error = (row, column) => (column.isCost ? null : cellOf(row, column.index)[1]);
  return view.order.map((row) => ({
    row, x: x.value(row), y: y.value(row), dx: error(row, x) ?? 0, dy: error(row, y) ?? 0,
  })).filter((point) => known(point.x) && known(point.y));
}

function axisLabel(column) {
  const arrow = ARROWS[column.direction] ?? "";
  return withUnit(column.words, column.unit) + (column.isCost ? "" : arrow);
}

function frontierChart(state, width) {
  const { x, y } = state;
  const points = frontierPoints(state);
  const start = [x, y].map((column) => (column.isCost ? null : table.before[column.index]));
  const ends = (axis, at) => points.flatMap((point) =>
    [point[axis] - point[`d${axis}`], point[axis] + point[`d${axis}`]])
    .concat(start.every(known) ? [start[at]] : []);
  const made = chart({
    width, height: 440, xs: extent(ends("x", 0), 0.08), ys: extent(ends("y", 1), 0.1),
    xLabel: axisLabel(x), yLabel: axisLabel(y),
    title: `${y.words} against ${x.words}, ${points.length} configurations`,
  });
  if (points.length > MOST_LABELS) made.plot.classList.add("crowded");
  const best = front(points, x, y);
  if (best.length > 1) made.plot.append(frontLine(made, best));
  if (start.every(known)) addStart(made, start);
  for (const point of points) made.plot.append(pointShape(made, point, best.includes(point), x, y));
  const first = [...best, ...points.filter((point) => !best.includes(point))];
  addLabels(made, first.slice(0, MOST_LABELS), [...barBoxes(made, points), ...frontBoxes(made, best)],
    start);
  return made.svg;
}

/** Steps, not slopes: between two configurations nothing was measured. */
function frontLine(made, best) {
  const places = best.map((point) => [made.x(point.x).toFixed(1), made.y(point.y).toFixed(1)]);
  const path = places.map(([x, y], at) => (at ? `H${x}V${y}` : `M${x} ${y}`));
  return shape("path", { class: "front", d: path.join("") });
}

function addStart(made, [x, y]) {
  const place = `translate(${made.x(x)} ${made.y(y)})`;
  made.plot.append(shape("g", { class: "start", transform: place },
    shape("path", { d: "M-5 -5L5 5M-5 5L5 -5" }),
    shape("title", {}, "before training")));
}

function pointShape(made, point, onFront, x, y) {
  const { dx, dy } = point;
  const [cx, cy] = [made.x(point.x), made.y(point.y)];
  const bar = (ends) => shape("line", { class: `bar ${colour(point.row)}`, ...ends });
  return shape("g", { class: onFront ? "point best" : "point" },
    dx ? bar({ x1: made.x(point.x - dx), x2: made.x(point.x + dx), y1: cy, y2: cy }) : null,
    dy ? bar({ x1: cx, x2: cx, y1: made.y(point.y - dy), y2: made.y(point.y + dy) }) : null,
    shape("circle", { cx, cy, r: onFront ? 6 : 4.5, class: `dot ${colour(point.row)}` }),
    shape("title", {}, `${labels[point.row]}\n${x.name} ${meanText(point.x, dx || null)}\n` +
      `${y.name} ${meanText(point.y, dy || null)}`));
}

/** Boxes [left, top, right, bottom] of the points and their bars. */
function barBoxes(made, points) {
  return points.flatMap(({ x, y, dx, dy }) => [around(made.x(x), made.y(y)),
    [made.x(x - dx), made.y(y) - 1, made.x(x + dx), made.y(y) + 1],
    [made.x(x) - 1, made.y(y + dy), made.x(x) + 1, made.y(y - dy)]]);
}

function frontBoxes(made, best) {
  return best.slice(1).flatMap((point, at) => {
    const [x0, y0, x1, y1] = [made.x(best[at].x), made.y(best[at].y), made.x(point.x), made.y(point.y)];
    return [[Math.min(x0, x1), y0, Math.max(x0, x1), y0], [x1, Math.min(y0, y1), x1, Math.max(y0, y1)]];
  });
}

/** Put labels where they cover neither points nor each other; the rest are found by pointing. */
function addLabels(made, points, taken, start) {
  if (start.every(known)) {
    taken.push(around(made.x(start[0]), made.y(start[1])));
    place(made, "before training", made.x(start[0]), made.y(start[1]), taken);
  }
  for (const point of points) {
    place(made, shorten(labels[point.row], LABEL_CHARACTERS), made.x(point.x), made.y(point.y), taken);
  }
}

function around(x, y) {
  return [x - 6, y - 6, x + 6, y + 6];
}

function place(made, text, x, y, taken) {
  const width = text.length * LABEL_WIDTH;
  const spots = [[10, 4], [8, -8], [8, 17], [-10 - width, 4], [-8 - width, -8], [-8 - width, 17],
    [-width / 2, -11], [-width / 2, 20]];
  for (const [dx, dy] of spots) {
    const box = [x + dx, y + dy - 10, x + dx + width, y + dy + 3];
    const inside = box[0] >= made.left && box[2] <= made.right && box[1] >= made.top - 4
      && box[3] <= made.bottom;
    const free = taken.every((other) => box[2] < other[0] || box[0] > other[2]
      || box[3] < other[1] || box[1] > other[3]);
    if (!inside || !free) continue;
    taken.push(box);
    made.plot.append(shape("text", { class: "name", x: x + dx, y: y + dy }, text));
    return;
  }
}
