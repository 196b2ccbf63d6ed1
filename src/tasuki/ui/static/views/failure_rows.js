/** The lines of the failures: one for tasks that ended alike, one for each task. */

import { breakable, h, icon, setAttr, setText } from "../dom.js";
import { number, setWhen, when } from "../format.js";
import { badge, setBadge } from "../parts/badge.js";
import { cell } from "../parts/grid.js";
import { setOwner } from "../parts/people.js";
import { describe } from "../words.js";

/** @param {() => void} narrow show only those */
export function groupRow(group, narrow) {
  const state = badge();
  const message = h("span", { class: "fine why" });
  const count = h("span", { class: "figure" });
  const last = when(null);
  const lastTask = h("a", { href: "/" }, "the newest");
  const only = h(
    "button",
    {
      type: "button",
      class: "button small",
      "aria-label": `Only ${group.name}, ${group.error_type ?? group.state}`,
      onclick: narrow,
    },
    "Only these",
  );
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, breakable(group.name)), state),
    cell("Error", h("span", {}, group.error_type ?? "–"), message),
    cell("How many", count),
    cell("Latest", last, lastTask),
    cell("", only),
  );

  function update(one) {
    setBadge(state, one.state);
    setText(message, one.last_message);
    setText(count, number(one.count));
    setWhen(last, one.last_at);
    setAttr(lastTask, "href", `/tasks/${one.last_id}`);
  }

  return { node, update };
}

/**
 * @param {any} task
 * @param {{isChosen: () => boolean, choose: (isIt: boolean) => void, replay: () => void}} on
 */
export function failureRow(task, { isChosen, choose, replay }) {
  const { title, about } = describe(task);
  const box = h("input", { type: "checkbox", "aria-label": `Choose ${title}` });
  box.addEventListener("change", () => choose(box.checked));
  const state = badge();
  const owner = h("span", {});
  const again = h(
    "button",
    { type: "button", class: "button small", "aria-label": `Replay ${title}`, onclick: replay },
    icon("retry"),
    "Replay",
  );
  const ended = when(task.finished_at);
  setBadge(state, task.state);
  setOwner(owner, task.owner_id);
  const node = h(
    "tr",
    { role: "row", "data-id": task.id },
    h("td", { role: "cell", class: "cell-box" }, h("div", {}, box)),
    cell(
      "",
      h("a", { href: `/tasks/${task.id}`, class: "row-title" }, breakable(title)),
      h("span", { class: "fine why" }, about),
      h("span", { class: "fine" }, "by ", owner),
    ),
    cell(
      "Why",
      state,
      h(
        "span",
        { class: "why" },
        task.error?.type ? `${task.error.type}: ` : "",
        task.error?.message,
      ),
    ),
    cell("Ended", ended, h("span", { class: "fine one-line" }, attempts(task))),
    cell("", again),
  );
  return {
    node,
    update() {
      box.checked = isChosen();
    },
  };
}

function attempts({ attempt }) {
  if (attempt === 0) return "never started";
  return attempt === 1 ? "after 1 attempt" : `after ${number(attempt)} attempts`;
}
