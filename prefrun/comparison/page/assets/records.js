// Held-out records one by one: prompt, the data's answers, every configuration's answer.

const SIDE_BY_SIDE = 6;
const BATCH_OF_ANSWERS = 50;

function drawRecords() {
  const records = payload("records");
  if (!records.records.length) {
    body("records").append(el("p", {}, "No finished run has samples.jsonl."));
    return;
  }
  const kinds = disagreements(records);
  const [a, b = a] = view.order;
  const state = { a, b, by: kinds[0], only: false, at: 0 };
  const list = el("ol", { class: "record-list" });
  const detail = el("article", { class: "record", "aria-live": "polite" });
  const redraw = () => {
    fillList(list, records, state, choose);
    fillRecord(detail, records, state);
  };
  const choose = (at) => {
    state.at = at;
    for (const item of list.querySelectorAll("button")) {
      item.setAttribute("aria-current", String(Number(item.dataset.record) === at));
    }
    fillRecord(detail, records, state);
  };
  const set = (key, read = Number) => (value) => {
    state[key] = read(value);
    if (state.only) state.at = orderedRecords(records, state)[0]?.[0] ?? null;
    else state.at ??= 0;
    redraw();
  };
  body("records").append(
    recordControls(kinds, state, set),
    el("div", { class: "split" }, list, detail),
    el("p", { class: "hint" }, recordsHint(records)),
  );
  redraw();
}

function recordControls(kinds, state, set) {
  const rows = view.order.map((row) => [row, shorten(labels[row], 60)]);
  const names = kinds.map(([name, words]) => [name, words]);
  const byName = (name) => kinds.find((kind) => kind[0] === name);
  return el("div", { class: "controls" }, chooser("A", rows, state.a, set("a")),
    chooser("B", rows, state.b, set("b")),
    kinds.length ? chooser("Compare by", names, names[0][0], set("by", byName)) : null,
    checkbox("only where A and B disagree, most first", false, set("only", Boolean),
      { id: "disagree" }));
}

function recordsHint(records) {
  const shown = records.records.length;
  const count = shown < records.total ? `The first ${shown} of ${records.total}` : `All ${shown}`;
  const seeds = [...new Set(records.seeds)];
  const seed = seeds.length === 1 ? `seed ${seeds[0]}` : "one seed of each configuration";
  return `${count} held-out records, of ${seed}; long texts are cut. Implied rewards are ` +
    "log π(y|x) − log π_ref(y|x) in nats, without the method's factor β.";
}

function fillList(list, records, state, choose) {
  const found = orderedRecords(records, state);
  list.replaceChildren(...found.map(([at, amount]) => {
    const [, prompt] = records.records[at];
    return el("li", {}, el("button", {
      type: "button", "data-record": at, "aria-current": String(at === state.at),
      onclick: () => choose(at),
    }, el("span", { class: "preview" }, shorten(records.texts[prompt], 110)),
    el("span", { class: "amount", title: "disagreement" }, known(amount) ? number(amount) : "")));
  }));
  if (!found.length) list.append(el("li", { class: "none" }, "A and B disagree nowhere."));
}

function fillRecord(detail, records, state) {
  detail.replaceChildren();
  if (state.at === null) return;
  const [name, prompt, answers] = records.records[state.at];
  detail.append(el("h3", {}, "Prompt ", el("small", {}, name)),
    el("blockquote", {}, records.texts[prompt]));
  if (answers.length) detail.append(...answersTable(records, state));
  detail.append(el("h3", {}, "Sampled answers"), ...sampledTable(records, state));
}

/** A and B first; the others beside them where they are few. */
function sideBySide(state) {
  const all = [...new Set([state.a, state.b, ...view.order])];
  return all.length <= SIDE_BY_SIDE ? all : [...new Set([state.a, state.b])];
}

function answersTable(records, state) {
  const [, , answers, , sides] = records.records[state.at];
  const rows = sideBySide(state);
  const ratios = rows.map((row) => sides[row]?.[RATIOS] ?? []);
  const order = ratios.map(ranks);
  const cell = (at, place) => {
    if (!known(ratios[place][at])) return el("td", { class: "missing" }, MISSING);
    const text = signed(ratios[place][at]);
    return el("td", {}, order[place][at] === 1 ? el("strong", {}, text) : text,
      el("span", { class: "place" }, ` #${order[place][at]}`));
  };
  return [
    el("h3", {}, "Answers of the data, with implied rewards"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Answers of the data" },
      el("table", { class: "answers" },
        el("thead", {}, el("tr", {}, ["answer", "score"].map((head) => el("th", { scope: "col" }, head)),
          rows.map((row) => sideHead(row, state)))),
        el("tbody", {}, answers.map(([text, score], at) => el("tr", {},
          el("th", { scope: "row", class: "text" }, records.texts[text]), el("td", {}, number(score)),
          rows.map((_, place) => cell(at, place))))))),
  ];
}

function sideHead(row, state) {
  return el("th", { scope: "col" }, el("span", { class: `swatch ${colour(row)}` }), sideTag(row, state),
    breakable(labels[row]));
}

function sideTag(row, state) {
  const sides = [row === state.a ? "A" : "", row === state.b ? "B" : ""].filter(Boolean);
  return sides.map((side) => el("span", { class: "tag" }, side));
}

function sampledTable(records, state) {
  const [, , , start, sides] = records.records[state.at];
  const rows = [...new Set([state.a, state.b, ...view.order])].filter((row) => sides[row]);
  const metrics = records.metrics;
  const line = (head, [response, reward, , values = []]) => el("tr", {}, head,
    el("td", { class: "text" }, known(response) ? records.texts[response] : MISSING),
    el("td", {}, number(reward)), metrics.map((_, at) => el("td", {}, number(values[at]))));
  const bodyRows = el("tbody", {},
    start ? line(el("th", { scope: "row" }, "(before training)"), start) : null);
  let shown = 0;
  const more = el("button", { type: "button" }, "Show more configurations");
  const add = () => {
    for (const row of rows.slice(shown, shown + BATCH_OF_ANSWERS)) {
      bodyRows.append(line(el("th", { scope: "row" }, el("span", { class: `swatch ${colour(row)}` }),
        sideTag(row, state), breakable(labels[row])), sides[row]));
    }
    shown += BATCH_OF_ANSWERS;
    more.hidden = shown >= rows.length;
  };
  more.addEventListener("click", add);
  add();
  const heads = ["configuration", "answer", "score", ...metrics];
  return [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Sampled answers" },
    el("table", { class: "answers" }, el("thead", {}, el("tr", {},
      heads.map((head) => el("th", { scope: "col", class: head === "answer" ? "text" : null },
        breakable(head))))), bodyRows)), more];
}
