/** A bar that shows how far a task is, to eyes and to screen readers. */

import { h, setAttr } from "../dom.js";
import { progressOf, STATES } from "../words.js";

export function progressBar(label) {
  const fillNode = h("span", { class: "bar-fill" });
  return h(
    "div",
    {
      class: "bar",
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    fillNode,
  );
}

/** @param {HTMLElement} node made by `progressBar` */
export function setProgress(node, task) {
  const { part, text, message } = progressOf(task);
  const [word, tone] = STATES[task.state] ?? [task.state, "off"];
  setAttr(node, "data-tone", tone);
  setAttr(node, "data-moving", task.state === "running" || task.state === "cancelling");
  setAttr(node, "data-unknown", part === null);
  setAttr(node, "aria-valuenow", part === null ? null : Math.round(part * 100));
  setAttr(node, "aria-valuetext", [word, text, message].filter(Boolean).join(", "));
  // A style rule by hand is no inline style for the policy of the page.
  node.firstChild.style.setProperty("--part", part === null ? "0.3" : String(part));
}
