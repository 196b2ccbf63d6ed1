/** The workers: who lives, who was lost, and what each one holds. For admins. */

import { get } from "../api.js";
import { breakable, fill, h, setAttr, setText } from "../dom.js";
import { number, setSpent, setWhen, spent, when } from "../format.js";
import { cell, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { empty, notice } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { WORKER_LANES } from "../words.js";
import { command } from "./queues.js";

const EVERY_MS = 3_000;

export function workersView({ signal }) {
  const { node: table, body } = grid("Workers", [
    "Worker",
    "Sign of life",
    "Busy",
    "Runs",
    "Since",
  ]);
  const showRows = keyed(body, { key: (one) => one.name + one.isAlive, make: workerRow });
  const none = h("div", { class: "list-place" });
  const missing = h("div", { class: "notices" });
  table.hidden = true;

  function show({ items, lost }) {
    const rows = [
      ...items.map((one) => ({ ...one, isAlive: true })),
      ...lost.map((one) => ({ ...one, isAlive: false })),
    ];
    showRows(rows);
    table.hidden = rows.length === 0;
    const lanes = new Set(items.map((one) => one.lane));
    const without = WORKER_LANES.filter((lane) => !lanes.has(lane));
    const key = without.join();
    if (none.dataset.key === key) return;
    none.dataset.key = key;
    const isEmpty = without.length === WORKER_LANES.length;
    fill(none, isEmpty ? nobody() : null);
    fill(
      missing,
      isEmpty
        ? null
        : without.map((lane) =>
            notice("info", `No worker serves the lane ${lane}. Start one: `, command(lane)),
          ),
    );
  }

  const { node: state } = polled({
    signal,
    every_ms: EVERY_MS,
    load: () => get("/admin/workers", { signal }),
    show,
  });
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Workers"),
    h(
      "p",
      { class: "lead" },
      "Who carries the tasks. Those of the lane local run in the web ",
      "processes.",
    ),
    missing,
    state,
    none,
    table,
  );
  return { title: "Workers", node };
}

function nobody() {
  return empty(
    "No worker lives",
    "Tasks are accepted all the same, and wait. Start one worker or more for each lane:",
    h("span", { class: "commands" }, WORKER_LANES.map(command)),
  );
}

function workerRow({ lane, host, pid, name, isAlive }) {
  const seen = when(null);
  const since = when(null);
  const busy = h("span", { class: "figure" });
  const room = h("meter", { class: "room", min: 0, "aria-label": `Room of ${name}` });
  const tasks = h("ul", { class: "held" });
  const more = h("a", { href: "/tasks?state=running", class: "fine" });
  const showTasks = keyed(tasks, { key: (task) => task.id, make: heldTask });
  const node = h(
    "tr",
    { role: "row", "data-lost": !isAlive },
    cell(
      "",
      h("span", { class: "tag lane" }, lane),
      h("strong", {}, host),
      h("span", { class: "fine" }, `process ${pid}`),
    ),
    cell(
      "Sign of life",
      h(
        "span",
        { class: "badge plain", "data-tone": isAlive ? "ok" : "bad" },
        isAlive ? "Alive" : "Lost",
      ),
      h("span", { class: "fine" }, seen),
    ),
    cell("Busy", busy, room),
    cell("Runs", tasks, more),
    cell("Since", since),
  );

  function update(one) {
    setWhen(seen, one.seen_at);
    setWhen(since, one.started_at);
    setText(busy, `${number(one.running)} of ${number(one.concurrency)}`);
    setAttr(room, "max", one.concurrency);
    setAttr(room, "value", one.running);
    showTasks(one.tasks);
    const unnamed = one.running - one.tasks.length;
    setText(more, unnamed > 0 ? `and ${number(unnamed)} more` : "");
    more.hidden = unnamed <= 0;
    node.toggleAttribute("data-idle", one.running === 0);
  }

  return { node, update };
}

function heldTask(task) {
  const took = spent();
  setSpent(took, task.started_at, null);
  const link = h("a", { href: `/tasks/${task.id}` }, breakable(task.name));
  return { node: h("li", {}, link, h("span", { class: "fine" }, took)), update: () => {} };
}
