// The section around the table: filter, column chooser, legend.

function drawResults() {
  const first = columns.find((column) => ["max", "min"].includes(column.direction)
    && !column.isCost);
  if (first) sortBy(first, first.direction === "max");
  const more = el("button", { type: "button", id: "more", onclick: () => showMore() },
    "Show more rows");
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && !more.hidden) showMore();
  }, { rootMargin: "400px" }).observe(more);
  body("results").append(
    el("div", { class: "controls" }, filterBox(), columnChooser(),
      el("span", { id: "shown", role: "status" })),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Results" },
      el("table", { class: "results" }, el("thead"), el("tbody"), el("tfoot"))),
    more,
    legendText(),
  );
  drawTable();
}

function filterBox() {
  const input = el("input", {
    type: "search", id: "filter", placeholder: "words, all must match",
  });
  input.addEventListener("input", () => {
    view.filter = input.value;
    drawTable();
  });
  return el("label", {}, "Filter ", input);
}

function columnChooser() {
  const summary = el("summary");
  const boxes = columns.map((column) => checkbox(column.name, view.visible.has(column), (on) => {
    if (on) view.visible.add(column);
    else view.visible.delete(column);
    update();
  }));
  const update = () => {
    summary.textContent = `Columns: ${view.visible.size} of ${columns.length}`;
    if (document.querySelector("#more")) drawTable();
  };
  const all = (on) => () => {
    for (const column of columns) view.visible[on ? "add" : "delete"](column);
    for (const box of boxes) box.firstChild.checked = on;
    update();
  };
  update();
  return el("details", { id: "columns" }, summary, el("div", { class: "menu" },
    el("div", {}, el("button", { type: "button", onclick: all(true) }, "All"), " ",
      el("button", { type: "button", onclick: all(false) }, "None")), boxes));
}

function legendText() {
  const signs = ["Bold: best of its column."];
  if (table.selected.length) signs.push("★ Chosen on the validation half of the prompts.");
  if (table.rows.some((row) => row[3].length)) {
    signs.push("◆ On the Pareto front of this metric and seconds.");
  }
  if (labels.length > 1) signs.push(`Below: difference from ${labels[table.baseline]}, p after Holm.`);
  signs.push("Open a configuration for its runs and all of its tests.");
  const lines = [...table.notes, ...table.selected.map(([metric, row, validation, test]) =>
    `${columns[metric].name}: validation chooses ${labels[row]} (${number(validation)}); it has ` +
    `${number(test)} on the other half.`)];
  return el("div", { class: "legend" }, el("p", {}, signs.join(" ")),
    el("details", {}, el("summary", {}, "What the numbers are"),
      el("ul", {}, lines.map((line) => el("li", {}, line)))));
}

function drawUnfinished() {
  const link = document.querySelector('nav a[href="#unfinished"]');
  link.hidden = document.querySelector("#unfinished").hidden = !table.unfinished.length;
  body("unfinished").append(el("ul", {}, table.unfinished.map(([folder, link, reason]) =>
    el("li", {}, folderLink(folder, link), `: ${reason}`))));
}
