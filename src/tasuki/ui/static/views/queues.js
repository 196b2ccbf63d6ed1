/** The queues: what waits, runs and goes wrong in each, lane by lane. For admins. */

import { get } from "../api.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { duration, number } from "../format.js";
import { cell, figure, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { notice } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { WORKER_LANES } from "../words.js";

const EVERY_MS = 5_000; // the server looks no more often
const LONG_S = 60; // a wait that somebody should know of

export function queuesView({ signal }) {
  const { node: table, body } = grid("Queues", [
    "Queue",
    "Waiting",
    "Running",
    "Later",
    "Failed",
    "Ended",
    "Broker",
  ]);
  const show = keyed(body, { key: (one) => `${one.queue} ${one.lane}`, make: queueRow });
  const warnings = h("div", { class: "notices" });
  const all = h("input", { type: "checkbox", id: "quiet-too" });
  const quiet = h("p", { class: "check" }, all, h("label", { for: "quiet-too" }));
  let found = null;

  function showAll() {
    const busy = found.queues.filter((one) => !isQuiet(one));
    const shown = all.checked ? found.queues : busy;
    show(shown);
    table.hidden = shown.length === 0;
    rest.hidden = busy.length > 0 || all.checked;
    quiet.hidden = busy.length === found.queues.length;
    setText(quiet.lastChild, `Show also what is quiet (${found.queues.length - busy.length})`);
    warn(warnings, found);
  }

  all.addEventListener("change", () => found && showAll());
  const rest = h(
    "p",
    { class: "rest" },
    icon("check"),
    "All quiet: nothing waits, runs or failed.",
  );
  for (const one of [table, rest, quiet]) one.hidden = true;
  const { node: state } = polled({
    signal,
    every_ms: EVERY_MS,
    load: async () => {
      const [queues, workers] = await Promise.all([
        get("/admin/queues", { signal }),
        get("/admin/workers", { signal }),
      ]);
      return { queues: queues.items, lanes: new Set(workers.items.map((one) => one.lane)) };
    },
    show: (now) => {
      found = now;
      showAll();
    },
  });
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Queues"),
    h("p", { class: "lead" }, "What waits, runs and goes wrong, by queue and lane."),
    warnings,
    state,
    table,
    rest,
    quiet,
    meanings(),
  );
  return { title: "Queues", node };
}

function isQuiet(one) {
  const figures = [one.waiting, one.scheduled, one.running, one.failed_lately];
  return figures.every((value) => value === 0) && one.ended_per_minute === 0 && !one.bells;
}

function queueRow({ queue, lane }) {
  const [waiting, running, later, failed, ended, bells] = Array.from({ length: 6 }, figure);
  const failures = h(
    "a",
    { href: `/admin/failures?${new URLSearchParams({ queue })}` },
    "see them",
  );
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, queue), h("span", { class: "tag lane" }, lane)),
    cell("Waiting", waiting.value, waiting.note),
    cell("Running", running.value),
    cell("Later", later.value, later.note),
    cell("Failed", failed.value, failures),
    cell("Ended", ended.value),
    cell("Broker", bells.value),
  );

  function update(one) {
    count(waiting, one.waiting);
    const age = one.oldest_due_s;
    setText(waiting.note, age === null ? "" : `oldest ${duration(age * 1000)}`);
    setAttr(waiting.note, "data-tone", age > LONG_S ? "warn" : null);
    count(running, one.running);
    count(later, one.scheduled);
    setText(later.note, one.retrying ? `${number(one.retrying)} to be retried` : "");
    count(failed, one.failed_lately);
    setAttr(failed.value, "data-tone", one.failed_lately ? "bad" : null);
    failures.hidden = one.failed_lately === 0;
    setText(ended.value, `${number(one.ended_per_minute)} / min`);
    setAttr(ended.value, "data-none", one.ended_per_minute === 0);
    setText(bells.value, bellsOf(one));
    setAttr(bells.value, "data-none", !one.bells);
  }

  return { node, update };
}

function count({ value }, many) {
  setText(value, number(many));
  setAttr(value, "data-none", many === 0);
}

function bellsOf({ lane, bells }) {
  if (bells !== null) return number(bells);
  return WORKER_LANES.includes(lane) ? "unknown" : "none";
}

/** What an operator should do something about. */
function warn(place, { queues, lanes }) {
  const said = [];
  for (const lane of WORKER_LANES) {
    const waiting = sum(queues, (one) => (one.lane === lane ? one.waiting : 0));
    if (waiting > 0 && !lanes.has(lane)) {
      said.push([
        h("strong", {}, `No worker serves the lane ${lane}`),
        h("p", {}, `${number(waiting)} tasks wait for one. Start it: `, command(lane)),
      ]);
    }
  }
  const lag = Math.max(0, ...queues.map((one) => one.dispatch_lag_s ?? 0));
  if (lag > LONG_S) {
    said.push([
      h("strong", {}, `Due tasks have not been announced for ${duration(lag * 1000)}`),
      h("p", {}, "The broker may be down. They are kept, and run when it is back."),
    ]);
  }
  const key = JSON.stringify(said.map((one) => one.map((node) => node.textContent)));
  if (place.dataset.key === key) return; // or it would be read out again and again
  place.dataset.key = key;
  fill(
    place,
    said.map((one) => notice("bad", one)),
  );
}

export const command = (lane) => h("code", {}, `tasuki worker --lane ${lane}`);

const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);

function meanings() {
  const rows = [
    ["Waiting", "Due, and no worker has them yet; how long the oldest has been due."],
    ["Later", "Not due yet: ordered for a later time, or waiting for their next attempt."],
    ["Failed", "Failed, timed out or crashed for good in the last five minutes."],
    ["Ended", "Whatever came of them, over the last five minutes."],
    [
      "Broker",
      "Messages that tell workers to look; the tasks themselves are in the database. " +
        "Unknown: this broker is not asked. None: this lane runs in the web processes.",
    ],
  ];
  return h(
    "details",
    { class: "meanings" },
    h("summary", {}, "What the figures mean"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
    ),
  );
}
