/** Where a task comes from and what came of it: its batch, its parent, its children, replays. */

import { get, Problem } from "../api.js";
import { breakable, fill, h } from "../dom.js";
import { setWhen, when } from "../format.js";
import { pause } from "../live.js";
import { badge, setBadge } from "../parts/badge.js";
import { keyed } from "../parts/keyed.js";
import { describe, isEnded } from "../words.js";

const MOST = 5;
const EVERY_MS = 4_000;
/** The task that writes the mail about another one's end. */
const TELLS = "mail.tell";

/**
 * @param {any} task
 * @param {AbortSignal} signal
 */
export function family(task, signal) {
  const from = [
    task.batch_id && partOf(task.batch_id, signal),
    task.parent_id && link("Ordered by", `/tasks/${task.parent_id}`, "another task"),
    task.replay_of && link("Replay of", `/tasks/${task.replay_of}`, "an earlier task"),
  ].filter(Boolean);
  const children = relatives("Ordered by it", "parent_id", task.id);
  const replays = relatives("Replayed as", "replay_of", task.id);
  const node = h(
    "section",
    { class: "panel", "aria-label": "Related" },
    h("h2", {}, "Related"),
    from.length > 0 && h("dl", { class: "facts" }, from),
    children.node,
    replays.node,
  );
  const isAlone = () => from.length === 0 && children.node.hidden && replays.node.hidden;
  node.hidden = isAlone();
  let { state } = task;

  /** Looks now and then until nothing of it can change any more. */
  async function follow() {
    let isOver = false;
    while (!isOver && !signal.aborted) {
      const hasEnded = isEnded(state);
      if (!document.hidden) {
        const areOver = await ask();
        isOver = hasEnded && areOver;
      }
      if (!isOver) await pause(EVERY_MS, signal);
    }
  }

  async function ask() {
    try {
      const found = await Promise.all([children.load(signal), replays.load(signal)]);
      node.hidden = isAlone();
      return found.flat().every((one) => isEnded(one.state));
    } catch (error) {
      if (!signal.aborted && !(error instanceof Problem)) throw error;
      return !error.isPassing; // it is an aside; the page says why, where it must
    }
  }

  void follow();
  return {
    node,
    show(now) {
      ({ state } = now);
    },
  };
}

function link(name, href, text) {
  const node = h("div", {});
  fill(node, ...linkTo(name, href, text));
  return node;
}

function linkTo(name, href, text) {
  return [h("dt", {}, name), h("dd", {}, h("a", { href }, text))];
}

/** Its batch; or the mail about its end, where the batch is there for nothing else. */
function partOf(id, signal) {
  const node = link("Part of", `/batches/${id}`, "a batch");
  const ask = async () => {
    const batch = await get(`/batches/${id}`, { signal });
    if (batch.total !== 1 || !batch.on_complete_id) return;
    const follower = await get(`/tasks/${batch.on_complete_id}`, { signal });
    if (follower.name !== TELLS) return;
    fill(node, ...linkTo("Told by mail", `/tasks/${follower.id}`, "once it has ended"));
  };
  ask().catch((error) => {
    if (!signal.aborted && !(error instanceof Problem)) throw error; // the link is there anyway
  });
  return node;
}

function relatives(title, filter, id) {
  const list = h("ul", { class: "things" });
  const show = keyed(list, { key: (one) => one.id, make: relative });
  const more = h("a", { href: `/tasks?${filter}=${id}` }, "See all");
  const node = h("div", { class: "relatives" }, h("h3", {}, title), list, more);
  node.hidden = true;
  return {
    node,
    async load(signal) {
      const query = new URLSearchParams({ [filter]: id, limit: MOST });
      const { items, next } = await get(`/tasks?${query}`, { signal });
      show(items);
      more.hidden = !next;
      node.hidden = items.length === 0;
      return items;
    },
  };
}

function relative(task) {
  const state = badge();
  const ordered = when(task.created_at);
  const { title } = describe(task);
  const name = h("a", { href: `/tasks/${task.id}` }, breakable(title));
  const node = h("li", {}, h("div", {}, name, h("span", { class: "fine" }, ordered)), state);
  return {
    node,
    update(one) {
      setBadge(state, one.state);
      setWhen(ordered, one.created_at);
    },
  };
}
