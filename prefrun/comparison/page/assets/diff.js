// What differs between the configurations of two rows.

function drawDiff() {
  const settings = payload("settings");
  if (!labels.length) {
    body("diff").append(el("p", {}, "No run has finished."));
    return;
  }
  const state = { a: view.order[0], b: view.order[1] ?? view.order[0] };
  const rows = view.order.map((row) => [row, shorten(labels[row], 80)]);
  const holder = el("div", { "aria-live": "polite" });
  const redraw = () => holder.replaceChildren(diffTable(settings, state));
  const set = (side) => (row) => {
    state[side] = Number(row);
    redraw();
  };
  body("diff").append(el("div", { class: "controls" }, chooser("A", rows, state.a, set("a")),
    chooser("B", rows, state.b, set("b"))), holder);
  redraw();
}

function diffTable(settings, { a, b }) {
  const [one, two] = [settings.rows[a], settings.rows[b]];
  const different = settings.keys.map((_, at) => at).filter((at) => one[at] !== two[at]);
  const equal = settings.equal + settings.keys.length - different.length;
  const text = (value) => (known(value) ? el("code", {}, settings.values[value])
    : el("span", { class: "missing" }, "(no such key)"));
  const same = `${equal} keys are equal in both. Seeds, output and tracker are not compared.`;
  if (!different.length) return el("p", {}, `No key differs. ${same}`);
  const made = simpleTable(`${different.length} keys differ. ${same}`, ["key", labels[a], labels[b]],
    different.map((at) => [el("code", {}, settings.keys[at]), text(one[at]), text(two[at])]));
  made.classList.add("diff");
  return el("div", { class: "scroll" }, made);
}
