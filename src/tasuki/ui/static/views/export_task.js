/** The export that is prepared as a task: how far it is, then its file. */

import { resultHref } from "../api.js";
import { fill, h, icon, setText } from "../dom.js";
import { prepared } from "../export_order.js";
import { size } from "../format.js";
import { announce } from "../parts/announce.js";
import { badge, setBadge } from "../parts/badge.js";
import { notice, problemNotice } from "../parts/notice.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { watchTask } from "../watch.js";
import { describe, isEnded, progressOf, STATES } from "../words.js";

/** @param {AbortSignal} signal */
export function preparedPanel(signal) {
  const place = h("div", { class: "stack" });
  const node = h(
    "section",
    { class: "panel", "aria-label": "Prepared as a task" },
    h("h2", {}, "Prepared as a task"),
    place,
  );
  let leaving = new AbortController();
  prepared.watch((now) => {
    leaving.abort();
    leaving = new AbortController();
    node.hidden = !now;
    fill(place);
    if (now) watch(place, now, AbortSignal.any([signal, leaving.signal]));
  }, signal);
  return node;
}

function watch(place, { id, isLarge }, signal) {
  const title = h("a", { href: `/tasks/${id}`, class: "row-title" }, "The task");
  const about = h("span", { class: "row-about" });
  const state = badge();
  const bar = progressBar("Progress of the task");
  const count = h("span", { class: "hero-count" });
  const file = h("div", {});
  fill(
    place,
    isLarge &&
      notice(
        "info",
        h("strong", {}, "Too large for this page"),
        h("p", {}, "So it is prepared as a task; its file is left to your browser's downloads."),
      ),
    h("div", { class: "bar-line" }, h("div", {}, title, about), state),
    bar,
    count,
    file,
  );

  function show(task) {
    const words = describe(task);
    setText(title, words.title);
    setText(about, words.about);
    setBadge(state, task.state);
    setProgress(bar, task);
    const { text, message } = progressOf(task);
    setText(count, isEnded(task.state) ? (task.error?.message ?? "") : message || text);
    showFile(file, task);
  }

  watchTask(id, { task: show, events: () => {}, gone: (error) => lost(error) }, signal);

  function lost(error) {
    fill(place, problemNotice(error));
  }
}

function showFile(place, task) {
  const isThere = task.artifact && isEnded(task.state);
  if (!isThere || place.firstChild) return;
  const { name, size_bytes: bytes } = task.artifact;
  fill(
    place,
    h(
      "a",
      { class: "button primary", href: resultHref(task.id), download: true },
      icon("download"),
      h("span", {}, "Download ", h("span", { class: "file-name" }, name)),
      h("span", { class: "file-size" }, size(bytes)),
    ),
  );
  announce(`${name}: ${STATES[task.state][0]}.`);
}
