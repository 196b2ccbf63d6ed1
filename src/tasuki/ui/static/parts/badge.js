/** A state as a word with a picture and a colour; the word alone is enough. */

import { fill, h, icon, setAttr } from "../dom.js";
import { STATES } from "../words.js";

export function badge() {
  return h("span", { class: "badge" });
}

/**
 * @param {HTMLElement} node made by `badge`
 * @param {string} state
 * @param {typeof STATES} [words] by state; those of tasks unless others are given
 */
export function setBadge(node, state, words = STATES) {
  if (node.dataset.state === state) return;
  const [word, tone, picture, meaning] = words[state] ?? [state, "off", "clock", ""];
  node.dataset.state = state;
  setAttr(node, "data-tone", tone);
  setAttr(node, "title", meaning);
  fill(node, icon(picture), word);
}
