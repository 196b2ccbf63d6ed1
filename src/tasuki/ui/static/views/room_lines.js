/** The lines of a room: days, what was said, who came and left, and what is on its way. */

import { fill, h, setAttr, setText } from "../dom.js";
import { clock, day, exact } from "../format.js";
import { keyed } from "../parts/keyed.js";
import { user } from "../session.js";

const TOGETHER_MS = 5 * 60_000; // what one person says within it stands under one name

/** @param {{again: (nonce: string) => void, discard: (nonce: string) => void}} on */
export function roomLines(on) {
  const list = h("ol", { class: "lines" });
  const pendingList = h("ol", { class: "lines pending", "aria-label": "On its way" });
  const showLines = keyed(list, { key: (line) => line.key, make });
  const showPending = keyed(pendingList, {
    key: (one) => one.nonce,
    make: (one) => pendingLine(one, on),
  });
  return {
    node: h("div", { role: "log", "aria-label": "What is said" }, list),
    pendingNode: pendingList,
    /**
     * @param {import("../room.js").Room} room
     * @param {any[]} passed who came and left, in the order this was heard
     */
    show(room, passed) {
      showLines(linesOf(room, passed));
      const isOpen = room.socket?.isOpen ?? false;
      showPending(room.pending.map((one) => ({ ...one, isOpen })));
      pendingList.hidden = room.pending.length === 0;
    },
  };
}

function linesOf(room, passed) {
  const lines = [];
  let before = null;
  let shownDay = "";
  for (const one of inTheirOrder(room, passed)) {
    const date = day(one.timestamp);
    if (date !== shownDay) lines.push({ key: date, kind: "day", date });
    const isSaid = "seq" in one;
    if (isSaid) {
      const follows = date === shownDay && isGoingOn(before, one);
      lines.push({ key: String(one.seq), kind: "said", follows, ...one });
    } else lines.push({ key: `${one.type} ${one.user_id} ${one.timestamp}`, kind: "passed", ...one });
    before = isSaid ? one : null;
    shownDay = date;
  }
  return lines;
}

/**
 * Go through what was said and who came and left, as it happened. The latter is heard by another
 * way, and perhaps after what somebody said as soon as they were in.
 */
function* inTheirOrder({ said, before: earlier }, passed) {
  const begin = earlier && said.length > 0 ? at(said[0]) : 0; // what was before is not shown yet
  const coming = passed.filter((one) => at(one) >= begin).sort((one, two) => at(one) - at(two));
  let next = 0;
  for (const one of said) {
    for (; next < coming.length && at(coming[next]) <= at(one); next += 1) yield coming[next];
    yield one;
  }
  yield* coming.slice(next);
}

function at({ timestamp }) {
  return Date.parse(timestamp);
}

function isGoingOn(before, one) {
  return before?.user_id === one.user_id && at(one) - at(before) < TOGETHER_MS;
}

function make(line) {
  if (line.kind === "said") return saidLine(line);
  const words = line.kind === "day" ? line.date : passedWords(line);
  return { node: h("li", { class: `aside ${line.kind}` }, words), update: () => {} };
}

function passedWords({ type, user: who, timestamp }) {
  const verb = type === "user_joined" ? "came in" : "left";
  return [`${who} ${verb} `, h("time", { datetime: timestamp }, clock(timestamp))];
}

function saidLine(one) {
  const { user: who, user_id: id, message, timestamp } = one;
  const time = h("time", { datetime: timestamp, title: exact(timestamp) }, clock(timestamp));
  const node = h(
    "li",
    { class: "said", "data-mine": id === user.get()?.id },
    h("p", { class: "said-head" }, h("strong", {}, who), time),
    h("p", { class: "said-text" }, message),
  );
  return { node, update: ({ follows }) => setAttr(node, "data-follows", follows) };
}

function pendingLine({ nonce, message }, { again, discard }) {
  const state = h("span", { class: "said-state" });
  const buttons = h("span", { class: "actions" });
  const node = h(
    "li",
    { class: "said", "data-mine": true },
    h("p", { class: "said-text" }, message),
    h("p", { class: "said-foot", role: "status" }, state, buttons),
  );
  const button = (words, run) =>
    h("button", { type: "button", class: "button small", onclick: () => run(nonce) }, words);
  return {
    node,
    update({ fault, isOpen }) {
      setAttr(node, "data-fault", fault !== null);
      const waiting = isOpen ? "Sending…" : "Waiting for the connection…";
      setText(state, fault === null ? waiting : `Not sent. ${fault}`);
      if ((buttons.children.length > 0) === (fault !== null)) return;
      fill(buttons, fault !== null && [button("Send again", again), button("Discard", discard)]);
    },
  };
}
