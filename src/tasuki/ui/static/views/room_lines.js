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
     * @param {any[]} passed who came and left, each with the `seq` it came after
     */
    show(room, passed) {
      showLines(linesOf(room.said, passed));
      const isOpen = room.socket?.isOpen ?? false;
      showPending(room.pending.map((one) => ({ ...one, isOpen })));
      pendingList.hidden = room.pending.length === 0;
    },
  };
}

function linesOf(said, passed) {
  const lines = [];
  const coming = passed.filter((one) => one.after >= (said[0]?.seq ?? 0));
  let before = null;
  let shownDay = "";
  for (const one of said) {
    if (letPass(lines, coming, one.seq)) before = null;
    const date = day(one.timestamp);
    if (date !== shownDay) lines.push({ key: date, kind: "day", date });
    const follows = date === shownDay && isGoingOn(before, one);
    lines.push({ key: String(one.seq), kind: "said", follows, ...one });
    before = one;
    shownDay = date;
  }
  letPass(lines, coming, Infinity);
  return lines;
}

/** Add those who came and left before a message. */
function letPass(lines, coming, seq) {
  const count = coming.findIndex((one) => one.after >= seq);
  const now = coming.splice(0, count < 0 ? coming.length : count);
  for (const one of now) {
    lines.push({ key: `${one.type} ${one.user_id} ${one.timestamp}`, kind: "passed", ...one });
  }
  return now.length > 0;
}

function isGoingOn(before, one) {
  return (
    before?.user_id === one.user_id &&
    Date.parse(one.timestamp) - Date.parse(before.timestamp) < TOGETHER_MS
  );
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
