// What every part of the page uses. Data become text nodes and attributes, never markup.

const MISSING = "–";
const ARROWS = { max: " ↑", min: " ↓" };
const SVG = "http://www.w3.org/2000/svg";

/** Parse one of the page's data blocks. */
function payload(name) {
  return JSON.parse(document.getElementById(`data-${name}`).textContent);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Make an HTML element; a child that is a string becomes text. */
function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Make an SVG element. */
function shape(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function body(section) {
  return document.querySelector(`#${section} .body`);
}

function known(value) {
  return value !== null && value !== undefined;
}

/** As prefrun.rundir.display.format_number: about four significant digits. */
function number(value) {
  if (!known(value)) return MISSING;
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.0005 || size >= 1e5)) return minus(value.toExponential(2));
  return minus(value.toFixed(decimals(value)));
}

function decimals(value) {
  const size = Math.abs(value);
  return size < 10 ? 3 : size < 100 ? 2 : 1;
}

function minus(text) {
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

function signed(value) {
  const text = number(value);
  return text.startsWith("−") ? text : `+${text}`;
}

function meanText(mean, error) {
  if (!known(error)) return number(mean);
  const scientific = mean !== 0 && (Math.abs(mean) < 0.0005 || Math.abs(mean) >= 1e5);
  const spread = scientific ? error.toExponential(2) : error.toFixed(decimals(mean));
  return `${number(mean)} ± ${minus(spread)}`;
}

/** Seconds, tokens or MiB; large ones short, such as 1.25M. */
function costText(value) {
  if (!known(value)) return MISSING;
  if (Math.abs(value) < 1000) return number(value);
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });
}

function probability(p) {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

function pText(p) {
  return p < 0.001 ? "p < 0.001" : `p = ${probability(p)}`;
}

function withUnit(words, unit) {
  return unit ? `${words} (${unit})` : words;
}

function counted(amount, word) {
  return `${amount.toLocaleString("en")} ${word}${amount === 1 ? "" : "s"}`;
}

/** Allow a line break after each separator of a long name. */
function breakable(name) {
  if (name.length < 16) return [name];
  return name.split(/(?<=[_/.=])/).flatMap((part, place) => (place ? [el("wbr"), part] : [part]));
}

function shorten(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** A labelled drop-down of [value, text] pairs. */
function chooser(label, options, chosen, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) });
  for (const [value, text] of options) {
    select.append(el("option", { value, selected: String(value) === String(chosen) }, text));
  }
  return el("label", {}, `${label} `, select);
}

function checkbox(label, checked, onchange, properties = {}) {
  const box = el("input", { type: "checkbox", checked, ...properties });
  box.addEventListener("change", () => onchange(box.checked));
  return el("label", { class: "check" }, box, label);
}

const table = payload("table");
const labels = table.rows.map((row) => row[0]);

/** The class with the row's colour; colours repeat, so lines have dashes as well. */
function colour(row) {
  return `c${row % 7}`;
}

function dashes(row) {
  return ["", "6 3", "2 3", "8 3 2 3"][Math.floor(row / 7) % 4];
}
