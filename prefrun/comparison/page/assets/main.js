// Draws the table at once and each other section when it comes near the window.

const sections = {
  curves: drawCurves, frontier: drawFrontier, records: drawRecords, diff: drawDiff,
};

function drawSection(name) {
  const draw = sections[name];
  delete sections[name];
  if (draw) draw();
}

function drawHead() {
  const runs = table.rows.reduce((sum, row) => sum + row[4].length, 0);
  const parts = [counted(labels.length, "configuration"), counted(runs, "run"),
    counted(table.metrics.length, "metric")];
  if (table.unfinished.length) parts.push(`${table.unfinished.length.toLocaleString("en")} unfinished`);
  if (labels.length) parts.push(`baseline: ${labels[table.baseline]}`);
  document.querySelector("#counts").textContent = parts.join(" · ");
  const warnings = document.querySelector("#warnings");
  warnings.hidden = !table.warnings.length;
  warnings.append(...table.warnings.map((text) => el("p", {}, el("strong", {}, "Warning: "), text)));
}

drawHead();
if (labels.length) drawResults();
else body("results").append(el("p", {}, "No run has finished."));
drawUnfinished();

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawSection(entry.target.id);
}, { rootMargin: "200px" });
for (const name of Object.keys(sections)) near.observe(document.getElementById(name));

window.addEventListener("beforeprint", () => {
  Object.keys(sections).forEach(drawSection);
  if (labels.length) showMore(labels.length);
});
