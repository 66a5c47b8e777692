// What a row of the table opens to: its runs, and its tests against the baseline.

function detailRow(row, width) {
  const content = el("div", { class: "detail" }, runsTable(row), testsTable(row));
  return el("tr", { class: "opened" }, el("td", { colspan: width }, content));
}

function simpleTable(caption, heads, rows) {
  return el("table", { class: "plain" }, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map(([first, ...rest]) =>
      el("tr", {}, el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))))));
}

function folderLink(text, link) {
  return link ? el("a", { href: encodeURI(link) }, text) : el("code", {}, text);
}

function runsTable(row) {
  const metrics = visibleColumns().filter((column) => !column.isCost);
  const heads = ["seed", "folder", "status", ...metrics.map((metric) => breakable(metric.name))];
  const made = simpleTable("Runs", heads, table.rows[row][4].map(([seed, folder, link, values]) => [
    String(seed), folderLink(folder, link), "finished",
    ...metrics.map((metric) => number(values[metric.index])),
  ]));
  made.classList.add("runs");
  return made;
}

function testsTable(row) {
  if (row === table.baseline) {
    return el("p", {}, "This is the baseline of the tests.");
  }
  const rows = columns.filter((column) => !column.isCost).flatMap((column) =>
    (cellOf(row, column.index)[4] ?? []).map(
      ([unit, n, difference, low, high, p, holm, effect]) => [
        column.name, signed(difference), `${number(low)} to ${number(high)}`,
        probability(p), known(holm) ? probability(holm) : MISSING, number(effect), `${n} ${unit}`,
      ]));
  if (!rows.length) return el("p", {}, "Nothing could be paired with the baseline.");
  return simpleTable(`Difference from ${labels[table.baseline]}`,
    ["metric", "difference", "95 % interval", "p", "p after Holm", "effect size", "paired over"],
    rows);
}
