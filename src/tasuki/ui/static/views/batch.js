/** The page of a batch: how far it is, what came of its tasks, and its end. */

import { call, post } from "../api.js";
import { breakable, fill, h, icon, setAttr, setText } from "../dom.js";
import { number, setSpent, setWhen, spent, when } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { copyButton } from "../parts/copy.js";
import { guarded } from "../parts/notice.js";
import { opened } from "../parts/opened.js";
import { setOwner } from "../parts/people.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { isAdmin } from "../session.js";
import { setTitle } from "../title.js";
import { watchBatch } from "../watch_batch.js";

const COUNTERS = [
  ["queued", "Waiting", "wait"],
  ["running", "Running", "run"],
  ["succeeded", "Succeeded", "ok"],
  ["failed", "Failed", "bad"],
  ["cancelled", "Cancelled", "off"],
];
const FAILED = ["failed", "timed_out", "crashed", "expired"]; // what `failed` counts

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function batchView(visit, go) {
  const { params, signal } = visit;
  const about = { title: "Batch", missing: "There is no such batch.", path: "/batches" };
  return opened(visit, about, (first, { heading, place, lost }) => {
    const page = batchPage(first, { signal, go });
    fill(heading, "Batch of ", breakable(first.name));
    fill(place, page.node);
    watchBatch(params.id, { batch: page.show, gone: lost }, signal);
  });
}

function batchPage(first, { signal, go }) {
  const state = h("span", { class: "badge plain" });
  const bar = progressBar(`Progress of the batch of ${first.name}`);
  const count = h("span", { class: "hero-count" });
  const took = spent();
  const ordered = when(first.created_at);
  const fault = h("div", {});
  const counters = new Map(COUNTERS.map(([key, word, tone]) => [key, counter(word, tone)]));
  const cancel = cancelButton(first.id, { fault, signal });
  const again = replayButton(first.id, { fault, signal, go });
  const say = teller();

  function show(batch) {
    const [word, tone] = stateOf(batch);
    setText(state, word);
    setAttr(state, "data-tone", tone);
    setAttr(hero, "data-tone", tone);
    const ended = batch.succeeded + batch.failed + batch.cancelled;
    setProgress(bar, asTask(batch, ended));
    setText(count, `${number(ended)} of ${number(batch.total)} have ended`);
    for (const [key, one] of counters) one.show(batch[key], batch.total);
    setWhen(ordered, batch.created_at);
    setSpent(took, batch.created_at, batch.finished_at);
    cancel.hidden = Boolean(batch.finished_at);
    setText(cancel.lastChild, batch.cancel_requested_at ? "Cancel again" : "Cancel the batch");
    again.hidden = batch.failed === 0;
    setTitle(`${batch.finished_at ? "✓" : `${part(batch)} %`} Batch`);
    say(batch, word);
  }

  const hero = h(
    "section",
    { class: "hero", "aria-label": "State" },
    h("div", { class: "hero-top" }, state, h("span", { class: "hero-about" }), again, cancel),
    bar,
    h("div", { class: "hero-bottom" }, count),
    h(
      "dl",
      { class: "counters" },
      [...counters.values()].map((one) => one.node),
    ),
    h(
      "p",
      { class: "hero-times" },
      "Ordered ",
      ordered,
      h("span", { class: "sep" }, "·"),
      "under way for ",
      took,
    ),
    fault,
  );
  show(first);
  return { node: h("div", { class: "task-page" }, hero, details(first)), show };
}

/** @returns {[string, string]} a word and a tone */
function stateOf(batch) {
  if (!batch.finished_at)
    return batch.cancel_requested_at ? ["Cancelling", "warn"] : ["Under way", "run"];
  if (batch.failed > 0) return ["Over, not all well", "bad"];
  return batch.cancelled > 0 ? ["Over, some cancelled", "off"] : ["All succeeded", "ok"];
}

/** What the bar understands. */
function asTask(batch, ended) {
  const state = batch.finished_at ? (batch.failed ? "failed" : "succeeded") : "running";
  const progress = { current: ended, total: batch.total, unit: "tasks", message: null };
  return { state: batch.cancelled && batch.finished_at ? "cancelled" : state, progress };
}

const part = ({ progress }) => Math.floor(progress * 100);

/** Says the end, and every quarter of the way. */
function teller() {
  let quarter = null;
  return (batch, word) => {
    const now = batch.finished_at ? 5 : Math.floor(batch.progress * 4);
    if (quarter !== null && now > quarter) {
      announce(batch.finished_at ? `The batch is over: ${word}.` : `Batch: ${part(batch)} %.`);
    }
    quarter = now;
  };
}

function counter(word, tone) {
  const value = h("dd", {});
  const node = h("div", { "data-tone": tone }, h("dt", {}, word), value);
  return {
    node,
    show(count) {
      setText(value, number(count));
      setAttr(node, "data-none", count === 0);
    },
  };
}

function cancelButton(id, { fault, signal }) {
  return h(
    "button",
    {
      type: "button",
      class: "button danger-quiet",
      onclick: () =>
        void guarded(fault, signal, async () => {
          const yes = await confirm({
            title: "Cancel the whole batch?",
            text: "What waits ends at once, what runs at its next step. What has been done stays.",
            yes: "Cancel all of it",
            no: "Keep it",
          });
          // The answer may be older than what the live numbers have shown by now.
          if (yes) await call("POST", `/batches/${id}/cancel`, { signal });
        }),
    },
    icon("stop"),
    h("span", {}, "Cancel the batch"),
  );
}

function replayButton(id, { fault, signal, go }) {
  return h(
    "button",
    {
      type: "button",
      class: "button",
      onclick: () =>
        void guarded(fault, signal, async () => {
          const yes = await confirm({
            title: "Replay what failed?",
            text:
              "The failed tasks of this batch are ordered again, each once. The batch itself " +
              "stays as it was counted.",
            yes: "Replay",
            no: "Not now",
            tone: "primary",
          });
          if (!yes) return;
          const order = { batch_id: id, state: FAILED };
          const task = await post("/tasks/replay", order, { signal });
          go(`/tasks/${task.id}`);
        }),
    },
    icon("retry"),
    "Replay what failed",
  );
}

function details(batch) {
  const owner = isAdmin() ? h("span", {}) : null;
  if (owner) setOwner(owner, batch.owner_id);
  const rows = [
    ["Id", h("code", { class: "id" }, batch.id), copyButton(batch.id, "the id")],
    ["Task", h("code", {}, batch.name)],
    owner && ["Owner", owner],
    ["Its tasks", h("a", { href: `/tasks?batch_id=${batch.id}` }, "See them in the list")],
    batch.unit === "recipients" && [
      "Mails",
      h("a", { href: `/mail/sendings/${batch.id}` }, "The sending that it counts"),
    ],
    batch.on_complete_id && [
      "Afterwards",
      h(
        "a",
        { href: `/tasks/${batch.on_complete_id}` },
        "The task that begins when all have ended",
      ),
    ],
  ].filter(Boolean);
  return h(
    "section",
    { class: "panel", "aria-label": "Details" },
    h("h2", {}, "Details"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}
