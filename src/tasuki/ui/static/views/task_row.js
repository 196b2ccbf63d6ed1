/** One line of the list, changed in place: focus, selection and scroll stay where they are. */

import { resultHref } from "../api.js";
import { breakable, h, icon, setAttr, setText } from "../dom.js";
import { setSpent, setWhen, size, spent, when } from "../format.js";
import { badge, setBadge } from "../parts/badge.js";
import { setOwner } from "../parts/people.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { describe, isEnded, progressOf } from "../words.js";

const cell = (name, ...children) => h("td", { role: "cell", class: `cell-${name}` }, children);

/**
 * @param {any} task
 * @param {{withOwner: boolean}} options
 */
export function taskRow(task, { withOwner }) {
  const { title, about } = describe(task);
  const state = badge();
  const bar = progressBar(`Progress of ${title}`);
  const text = h("span", { class: "bar-text" });
  const file = h("span", { class: "row-file" });
  const owner = withOwner ? h("span", {}) : null;
  const ordered = when(task.created_at);
  const took = spent();
  const node = h(
    "tr",
    { role: "row" },
    cell("state", state),
    cell(
      "task",
      h("a", { href: `/tasks/${task.id}`, class: "row-title" }, breakable(title)),
      h("span", { class: "row-about" }, about),
    ),
    cell("progress", bar, text, file),
    owner && cell("owner", h("span", { class: "narrow-label" }, "by "), owner),
    cell("ordered", ordered),
    cell("took", h("span", { class: "narrow-label" }, "ran for "), took),
  );

  function update(next) {
    task = next;
    setBadge(state, next.state);
    setAttr(node, "data-state", next.state);
    setProgress(bar, next);
    const { text: count, message } = progressOf(next);
    const isDone = next.state === "succeeded";
    bar.hidden = isDone || (!next.progress && (!next.started_at || isEnded(next.state)));
    setText(text, isDone ? "" : (why(next) ?? [message, count].filter(Boolean).join(" · ")));
    setFile(file, next);
    if (owner) setOwner(owner, next.owner_id);
    setWhen(ordered, next.created_at);
    setAttr(node, "data-started", Boolean(next.started_at));
    setSpent(took, next.started_at, next.finished_at);
  }

  update(task);
  return { node, update, task: () => task };
}

/** What ended a task badly, or cost it an attempt. */
function why(task) {
  const isTold = isEnded(task.state) || task.state === "retrying";
  return isTold ? task.error?.message : null;
}

function setFile(node, task) {
  const id = task.artifact ? task.artifact.sha256 : "";
  if ((node.dataset.file ?? "") === id) return;
  node.dataset.file = id;
  node.replaceChildren();
  if (!task.artifact) return;
  node.append(
    h(
      "a",
      {
        href: resultHref(task.id),
        download: true,
        class: "file-link",
        "aria-label": `Download ${task.artifact.name}`,
      },
      icon("download"),
      h("span", { class: "file-name" }, task.artifact.name),
      h("span", { class: "fine" }, size(task.artifact.size_bytes)),
    ),
  );
}
