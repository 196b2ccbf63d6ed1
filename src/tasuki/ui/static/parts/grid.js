/** A table of figures; on narrow screens each row becomes a card that names its figures. */

import { h } from "../dom.js";

// The roles say it once more: a table that is laid out otherwise is none for some browsers.
/**
 * @param {string} label
 * @param {string[]} names of the columns; an empty one has no visible head
 */
export function grid(label, names) {
  const body = h("tbody", { role: "rowgroup" });
  const heads = names.map((name) => h("th", { role: "columnheader", scope: "col" }, name));
  const node = h(
    "table",
    { class: "grid", role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    body,
  );
  return { node, body };
}

/**
 * @param {string} name what it is called on a card; empty: the card's title
 * @param {...any} children
 */
export function cell(name, ...children) {
  return h("td", { role: "cell", "data-name": name || null }, h("div", {}, children));
}

/** A figure and a line below it, changed in place. */
export function figure() {
  const value = h("span", { class: "figure" });
  const note = h("span", { class: "fine figure-note" });
  return { value, note };
}
