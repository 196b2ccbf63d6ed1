/** Filters that come with the address and have no field: shown, and taken away by a click. */

import { fill, h, icon } from "../dom.js";

/**
 * @param {URLSearchParams} query
 * @param {Record<string, string>} names parameter → what it is called
 * @param {() => void} changed called when one was taken away
 */
export function chips(query, names, changed) {
  const values = new Map();
  for (const name of Object.keys(names)) if (query.get(name)) values.set(name, query.get(name));
  const node = h("ul", { class: "chips", "aria-label": "Only" });

  function show() {
    node.hidden = values.size === 0;
    fill(
      node,
      [...values].map(([name, value]) => chip(name, value)),
    );
  }

  function chip(name, value) {
    const take = h(
      "button",
      {
        type: "button",
        class: "button small quiet",
        "aria-label": `Do not filter by ${names[name]}`,
        onclick: () => {
          values.delete(name);
          show();
          changed();
        },
      },
      icon("cross"),
    );
    return h("li", {}, h("span", {}, `${names[name]} `), h("code", {}, value), take);
  }

  show();
  return {
    node,
    wanted: () => Object.fromEntries(values),
    clear() {
      values.clear();
      show();
    },
  };
}
