/** The schedules: what begins by the clock, and a switch for each. For admins. */

import { get, patch } from "../api.js";
import { breakable, fill, h, setAttr, setText } from "../dom.js";
import { setWhen, when } from "../format.js";
import { announce } from "../parts/announce.js";
import { cell, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { empty, guarded } from "../parts/notice.js";
import { polled } from "../parts/polled.js";

const EVERY_MS = 5_000;
const CATCH_UP = {
  skip: "are left out",
  last: "are made up for by one run",
  all: "are all made up for",
};

export function schedulesView({ signal }) {
  const { node: table, body } = grid("Schedules", [
    "Schedule",
    "When",
    "Last run",
    "Next run",
    "On",
  ]);
  const fault = h("div", { class: "notices" });
  const none = h("div", { class: "list-place" });
  const show = keyed(body, {
    key: (one) => one.name,
    make: (one) => scheduleRow(one, { fault, signal, changed: () => state.refresh() }),
  });
  table.hidden = true;
  const state = polled({
    signal,
    every_ms: EVERY_MS,
    load: () => get("/schedules", { signal }),
    show: ({ items }) => {
      show(items);
      table.hidden = items.length === 0;
      if (items.length === 0 && !none.firstChild) fill(none, nothing());
    },
  });
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Schedules"),
    h(
      "p",
      { class: "lead" },
      "Tasks that begin by the clock. One that is off makes up for nothing ",
      "when it is switched on again.",
    ),
    fault,
    state.node,
    none,
    table,
  );
  return { title: "Schedules", node };
}

function nothing() {
  return empty(
    "Nothing begins by the clock",
    "Schedules are declared in Python, beside the tasks.",
  );
}

function scheduleRow(schedule, { fault, signal, changed }) {
  const { name, task } = schedule;
  const at = h("span", {});
  const cron = h("code", {});
  const missed = h("span", { class: "fine" });
  const last = when(null);
  const lastTask = h("a", { href: "/" }, "its task");
  const next = when(null);
  const off = h("span", { class: "fine" }, "switched off");
  const onOff = switchOf(name, { fault, signal, done: (now) => (update(now), changed()) });
  const node = h(
    "tr",
    { role: "row" },
    cell(
      "",
      h("strong", {}, breakable(name)),
      task !== name && h("span", { class: "fine" }, "orders ", breakable(task)),
    ),
    cell("When", at, cron, missed),
    cell("Last run", last, lastTask),
    cell("Next run", next, off),
    cell("On", onOff.node),
  );

  function update(one) {
    setText(at, one.at.charAt(0).toUpperCase() + one.at.slice(1));
    setText(cron, one.cron);
    cron.hidden = !one.cron;
    setText(missed, `Missed runs ${CATCH_UP[one.catch_up] ?? one.catch_up}`);
    setWhen(last, one.last_run_at);
    setAttr(lastTask, "href", `/tasks/${one.last_task_id}`);
    lastTask.hidden = !one.last_task_id;
    setWhen(next, one.next_run_at);
    next.hidden = !one.enabled;
    off.hidden = one.enabled;
    onOff.show(one.enabled);
    node.toggleAttribute("data-off", !one.enabled);
  }

  return { node, update };
}

/** It moves when the server has said so, and not before. */
function switchOf(name, { fault, signal, done }) {
  const node = h(
    "button",
    { type: "button", role: "switch", class: "switch", "aria-label": `Schedule ${name}` },
    h("span", { class: "switch-knob", "aria-hidden": "true" }),
  );
  let isOn = null;
  let isBusy = false;
  node.addEventListener("click", async () => {
    if (isBusy || isOn === null) return;
    isBusy = true;
    setAttr(node, "aria-disabled", "true");
    try {
      await guarded(fault, signal, async () => {
        const path = `/schedules/${encodeURIComponent(name)}`;
        const now = await patch(path, { enabled: !isOn }, { signal });
        isBusy = false;
        done(now);
        announce(`${name} is switched ${now.enabled ? "on" : "off"}.`);
      });
    } finally {
      isBusy = false;
      setAttr(node, "aria-disabled", null);
    }
  });
  return {
    node,
    show(enabled) {
      if (isBusy) return; // the answer to the click says it
      isOn = enabled;
      setAttr(node, "aria-checked", String(enabled));
    },
  };
}
