// The table of results: sort, filter, choose columns; rows come in batches.

const BATCH = 100;
const FIRST_COLUMNS = 12;

const columns = [
  ...table.metrics.map(([name, words, unit, direction], index) => ({
    name, unit, words, direction, index, value: (row) => cellOf(row, index)[0], cell: metricCell,
  })),
  ...table.costs.map(([name, words], index) => ({
    name, words, unit: "", direction: "min", index, isCost: true,
    value: (row) => table.rows[row][2][index], cell: costCell,
  })),
];
const byLabel = { name: "configuration", direction: "min", value: (row) => labels[row] };
const bySeeds = { name: "seeds", direction: "max", value: (row) => table.rows[row][4].length };
const chosenBest = new Set(table.selected.map(([metric, row]) => `${metric} ${row}`));

const view = {
  order: labels.map((_, row) => row),
  sorted: null,
  descending: false,
  filter: "",
  visible: new Set(columns.slice(0, FIRST_COLUMNS)),
  shown: 0,
  open: new Set(),
};

/** The parts of a metric's cell: mean, error, n, best, tests, low, high. */
function cellOf(row, metric) {
  return table.rows[row][1][metric] ?? [null];
}

/** Sort by COLUMN, stably; rows without a value come last both ways. */
function sortBy(column, descending) {
  const missing = (value) => !known(value);
  view.sorted = column;
  view.descending = descending;
  view.order.sort((a, b) => {
    const [one, two] = [column.value(a), column.value(b)];
    if (missing(one) || missing(two)) return missing(one) - missing(two);
    const sign = typeof one === "string"
      ? one.localeCompare(two, "en", { numeric: true })
      : one - two;
    return descending ? -sign : sign;
  });
}

function toggleSort(column) {
  const again = view.sorted === column;
  sortBy(column, again ? !view.descending : column.direction === "max");
  drawTable();
  document.querySelector("#results th:not([aria-sort=none]) button").focus();
}

function matching() {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return view.order.filter((row) => {
    const label = labels[row].toLowerCase();
    return words.every((word) => label.includes(word));
  });
}

function visibleColumns() {
  return columns.filter((column) => view.visible.has(column));
}

function metricCell(row, column) {
  const [mean, error, n, best, tests = [], low, high] = cellOf(row, column.index);
  if (!known(mean)) return el("td", { class: "missing" }, MISSING);
  const text = meanText(mean, error);
  const marks = [];
  if (chosenBest.has(`${column.index} ${row}`)) {
    marks.push(mark("★", "chosen on the validation half"));
  }
  if (table.rows[row][3].includes(column.index)) {
    marks.push(mark("◆", "on the Pareto front of this metric and seconds"));
  }
  const notes = [];
  if (n < table.rows[row][4].length) notes.push(`n = ${n}`);
  if (known(low)) notes.push(`${number(low)} to ${number(high)}`);
  if (tests.length) notes.push(shortTest(tests[0]));
  return el("td", { title: tests.map(longTest).join("\n") || null },
    el("div", {}, marks, best ? el("strong", {}, text) : text),
    notes.map((note) => el("div", { class: "note" }, note)));
}

function mark(sign, words) {
  return el("span", { class: "mark", role: "img", "aria-label": words, title: words }, sign);
}

function costCell(row, column) {
  return el("td", {}, costText(column.value(row)));
}

function shortTest([, , difference, , , p, holm]) {
  return `${signed(difference)}, ${pText(known(holm) ? holm : p)}`;
}

function longTest([unit, n, difference, low, high, p, holm, effect]) {
  const parts = [
    `${signed(difference)} (95 % interval ${number(low)} to ${number(high)})`,
    pText(p),
    known(holm) ? `after Holm ${pText(holm)}` : null,
    known(effect) ? `effect ${number(effect)}` : null,
    `over ${n} ${unit}`,
  ];
  return `against ${labels[table.baseline]}: ${parts.filter(Boolean).join(", ")}`;
}

function headCell(column, text, unit) {
  const state = view.sorted === column ? (view.descending ? "descending" : "ascending") : "none";
  const sign = { descending: "▼", ascending: "▲", none: "" }[state];
  return el("th", { scope: "col", "aria-sort": state, title: column.words ?? null },
    el("button", { type: "button", onclick: () => toggleSort(column) },
      el("span", {}, text, el("span", { class: "sort", "aria-hidden": "true" }, sign)),
      unit ? el("small", {}, unit) : null));
}

function headRow() {
  const arrow = (column) => (column.isCost ? "" : ARROWS[column.direction] ?? "");
  const cells = visibleColumns().map((column) =>
    headCell(column, [...breakable(column.name), arrow(column)], column.unit));
  return el("tr", {}, el("th", { scope: "col" }, "#"),
    headCell(byLabel, "configuration"), headCell(bySeeds, "seeds"), cells);
}

function rowElements(row, place) {
  const open = view.open.has(row);
  const button = el("button", {
    type: "button", class: "expand", "aria-expanded": String(open), onclick: () => toggleRow(row),
  }, el("span", { class: "swatch" }), el("span", {}, breakable(labels[row])));
  button.firstChild.classList.add(colour(row));
  const name = el("th", { scope: "row" }, button,
    row === table.baseline ? el("span", { class: "tag" }, "baseline") : null);
  const cells = visibleColumns().map((column) => column.cell(row, column));
  const line = el("tr", { "data-row": row }, el("td", { class: "rank" }, String(place + 1)), name,
    el("td", {}, String(table.rows[row][4].length)), cells);
  return open ? [line, detailRow(row, cells.length + 3)] : [line];
}

function toggleRow(row) {
  const line = document.querySelector(`#results tr[data-row="${row}"]`);
  const button = line.querySelector(".expand");
  if (view.open.delete(row)) line.nextElementSibling.remove();
  else {
    view.open.add(row);
    line.after(detailRow(row, line.children.length));
  }
  button.setAttribute("aria-expanded", String(view.open.has(row)));
}

function beforeRow() {
  const cells = visibleColumns().map((column) =>
    el("td", {}, column.isCost ? MISSING : number(table.before[column.index])));
  return el("tr", { class: "before" }, el("td"), el("th", { scope: "row" }, "(before training)"),
    el("td"), cells);
}

/** Add the next COUNT rows. */
function showMore(count = BATCH) {
  const rows = matching();
  const next = rows.slice(view.shown, view.shown + count);
  const lines = next.flatMap((row, place) => rowElements(row, view.shown + place));
  document.querySelector("#results tbody").append(...lines);
  view.shown += next.length;
  document.querySelector("#more").hidden = view.shown >= rows.length;
  document.querySelector("#shown").textContent = rows.length === labels.length
    && view.shown === rows.length
    ? counted(labels.length, "configuration")
    : `${view.shown} of ${counted(rows.length, "configuration")} shown` +
      (rows.length < labels.length ? `, ${labels.length.toLocaleString("en")} in all` : "");
}

function drawTable() {
  document.querySelector("#results thead").replaceChildren(headRow());
  document.querySelector("#results tbody").replaceChildren();
  document.querySelector("#results tfoot").replaceChildren(
    ...(table.before.some(known) ? [beforeRow()] : []));
  view.shown = 0;
  showMore();
}
