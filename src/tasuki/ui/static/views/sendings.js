/** The list of sendings: the same words to many, each with how far it is. */

import { h, icon, setText } from "../dom.js";
import { number, setSpent, spent, when } from "../format.js";
import { throttled } from "../live.js";
import { listen } from "../live_stream.js";
import { MAY_SEND_TO_MANY, mayUse } from "../mail_words.js";
import { cell, grid } from "../parts/grid.js";
import { empty } from "../parts/notice.js";
import { paged } from "../parts/paged.js";
import { setOwner } from "../parts/people.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { isAdmin } from "../session.js";
import { asTask, stateOf } from "./sending_words.js";

const NEWS_MS = 2_000;
const BUSY_MS = 3_000;
const IDLE_MS = 15_000;

export function sendingsView({ signal }) {
  const withOwner = isAdmin();
  const columns = ["Sending", "State", "Progress", withOwner && "Owner", "Ordered", "Took"];
  const { node: table, body } = grid("Mails to many", columns.filter(Boolean));
  const write = () =>
    h("a", { href: "/mail/sendings/new", class: "button primary" }, icon("letter"), "Write to many");
  const mayWrite = mayUse(MAY_SEND_TO_MANY);
  const list = paged({
    path: "/mail/batches",
    wanted: () => ({}),
    table,
    body,
    make: (sending) => sendingRow(sending, { withOwner }),
    none: () =>
      empty(
        "Nothing sent to many yet",
        mayWrite
          ? "Each sending stands here, live from its order to its end."
          : `It needs the right ${MAY_SEND_TO_MANY}. An admin can give it.`,
      ),
    every_ms: (items) => (items.some(({ batch }) => !batch.finished_at) ? BUSY_MS : IDLE_MS),
    signal,
  });
  const news = throttled(list.refresh, NEWS_MS, signal);
  listen({ on: { tasks: news }, opened: news }, signal);
  const node = h(
    "div",
    { class: "view" },
    h("p", { class: "crumb" }, h("a", { href: "/mail" }, icon("back"), "Mail")),
    h(
      "div",
      { class: "view-head" },
      h("h1", { tabindex: "-1" }, "Mails to many"),
      mayWrite && write(),
    ),
    h("div", { class: "below-head" }, list.node),
  );
  return { title: "Mails to many", node };
}

function sendingRow(sending, { withOwner }) {
  const state = h("span", { class: "badge plain" });
  const bar = progressBar(`Progress of ${sending.subject}`);
  const count = h("span", { class: "fine" });
  const took = spent();
  const owner = withOwner ? h("span", {}) : null;
  if (owner) setOwner(owner, sending.owner_id);
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("a", { href: `/mail/sendings/${sending.id}`, class: "row-title" }, sending.subject)),
    cell("State", state),
    h("td", { role: "cell", "data-name": "Progress" }, h("div", { class: "wide" }, bar, count)),
    owner && cell("Owner", owner),
    cell("Ordered", when(sending.created_at)),
    cell("Took", took),
  );

  function update(now) {
    const [word, tone] = stateOf(now);
    setText(state, word);
    state.dataset.tone = tone;
    setProgress(bar, asTask(now));
    const { total, succeeded } = now.batch;
    setText(count, `${number(succeeded)} of ${number(total)} sent`);
    setSpent(took, now.created_at, now.batch.finished_at);
  }

  return { node, update };
}
