/** The page of one task: how far it is, what it says, its attempts, its file. */

import { resultHref } from "../api.js";
import { breakable, fill, h, icon, setAttr, setText } from "../dom.js";
import { setSpent, setWhen, size, spent, when } from "../format.js";
import { announce } from "../parts/announce.js";
import { badge, setBadge } from "../parts/badge.js";
import { notice } from "../parts/notice.js";
import { opened } from "../parts/opened.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { setTitle } from "../title.js";
import { watchTask } from "../watch.js";
import { describe, isEnded, progressOf, STATES } from "../words.js";
import { attempts } from "./task_attempts.js";
import { taskButtons } from "./task_buttons.js";
import { facts } from "./task_facts.js";
import { family } from "./task_family.js";
import { logPanel } from "./task_log.js";

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function taskView(visit, go) {
  const { params, signal } = visit;
  const about = { title: "Task", missing: "There is no such task.", path: "/tasks" };
  return opened(visit, about, (first, { heading, place, lost }) => {
    const page = taskPage(first, { heading, signal, go });
    fill(place, page.node);
    watchTask(params.id, { task: page.show, events: page.hear, gone: lost }, signal);
  });
}

function taskPage(first, { heading, signal, go }) {
  const { title, about } = describe(first);
  fill(heading, breakable(title));
  const state = badge();
  const bar = progressBar(`Progress of ${title}`);
  const count = h("span", { class: "hero-count" });
  const message = h("span", { class: "hero-message" });
  const took = spent();
  const ordered = when(first.created_at);
  const file = h("div", { class: "hero-file" });
  const fault = h("div", {});
  const buttons = taskButtons(first.id, { signal, go });
  const details = facts(first);
  const legs = attempts();
  const related = family(first, signal);
  const log = logPanel();
  const say = teller(title);
  let shown = null;

  function show(task) {
    setBadge(state, task.state);
    setAttr(hero, "data-tone", STATES[task.state]?.[1]);
    setProgress(bar, task);
    bar.hidden = isEnded(task.state) && task.state !== "succeeded" && !task.progress;
    const progress = progressOf(task);
    setText(count, [percent(progress), progress.text].filter(Boolean).join(" · "));
    setText(message, progress.message || waitingWords(task));
    setSpent(took, task.started_at, task.finished_at);
    setWhen(ordered, task.created_at);
    showFile(file, task);
    showFault(fault, task);
    buttons.show(task);
    related.show(task);
    details.show(task);
    legs.expect(task);
    setTitle(`${titleMark(task, progress)}${title}`);
    say(task, shown);
    shown = task;
  }

  function hear(events, isCut) {
    legs.hear(events);
    log.hear(events, isCut);
  }

  const hero = h(
    "section",
    { class: "hero", "aria-label": "State" },
    h(
      "div",
      { class: "hero-top" },
      state,
      h("span", { class: "hero-about" }, about),
      buttons.node,
    ),
    bar,
    h("div", { class: "hero-bottom" }, h("span", {}, message), count),
    h(
      "p",
      { class: "hero-times" },
      "Ordered ",
      ordered,
      h("span", { class: "sep" }, "·"),
      "ran for ",
      took,
    ),
    file,
    fault,
  );
  show(first);
  const node = h(
    "div",
    { class: "task-page" },
    hero,
    h(
      "div",
      { class: "columns" },
      h("div", {}, log.node),
      h("div", {}, related.node, legs.node, details.node),
    ),
  );
  return { node, show, hear };
}

function percent({ part, text }) {
  return part === null || text === "" ? "" : `${Math.round(part * 100)} %`;
}

function titleMark(task, { part, text }) {
  if (task.state === "succeeded") return "✓ ";
  if (isEnded(task.state)) return "✕ ";
  return text && part !== null ? `${Math.round(part * 100)} % ` : "";
}

function waitingWords(task) {
  if (task.state === "succeeded") return "";
  return task.state === "running" ? "At work" : (STATES[task.state]?.[3] ?? "");
}

/** Says changes of state, and every quarter of the way; more would only be noise. */
function teller(title) {
  let quarter = 0;
  return (task, before) => {
    const { part } = progressOf(task);
    if (before && before.state !== task.state) {
      announce(`${title}: ${STATES[task.state][0]}.`);
      quarter = 0;
    } else if (part !== null && Math.floor(part * 4) > quarter && task.state === "running") {
      quarter = Math.floor(part * 4);
      if (before) announce(`${title}: ${Math.round(part * 100)} %.`);
    }
  };
}

function showFile(place, task) {
  const id = task.artifact && isEnded(task.state) ? task.artifact.sha256 : "";
  if ((place.dataset.file ?? "") === id) return;
  place.dataset.file = id;
  if (!id) {
    fill(place);
    return;
  }
  const { name, size_bytes: bytes } = task.artifact;
  fill(
    place,
    h(
      "a",
      { class: "button primary big", href: resultHref(task.id), download: true },
      icon("download"),
      h("span", {}, "Download ", h("span", { class: "file-name" }, name)),
      h("span", { class: "file-size" }, size(bytes)),
    ),
  );
}

function showFault(place, task) {
  const key =
    task.error && task.state !== "cancelled" ? `${task.attempt} ${task.error.message}` : "";
  if ((place.dataset.fault ?? "") === key) return;
  place.dataset.fault = key;
  if (!key) {
    fill(place);
    return;
  }
  const isOver = isEnded(task.state);
  const title = isOver ? task.error.type : `Attempt ${task.attempt} failed: ${task.error.type}`;
  fill(
    place,
    notice(
      isOver ? "bad" : "info",
      h("strong", {}, title),
      h("p", { class: "pre" }, task.error.message),
    ),
  );
}
