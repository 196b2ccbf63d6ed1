/** A room: what is said in it, as it is said, and what one says oneself. */

import { Problem } from "../api.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { notice, problemNotice } from "../parts/notice.js";
import { opened } from "../parts/opened.js";
import { Room } from "../room.js";
import { setSeen } from "../seen.js";
import { user } from "../session.js";
import { setTitle } from "../title.js";
import { roomLines } from "./room_lines.js";
import { membersPanel } from "./room_members.js";

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const NEAR_PX = 60; // so near to an end counts as being there
const SETTLED_MS = 120;
const MOST = 600; // messages in the page; then the oldest go, and come again by scrolling up
const KEPT = 400;
const MOST_PASSED = 100;
const MOST_TEXT = 4_000;

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function roomView(visit, go) {
  const about = {
    title: "Room",
    missing: "No room can have this name.",
    path: "/chat/rooms",
    key: visit.params.room,
    isKey: NAME,
    back: { href: "/chat", words: "All rooms" },
  };
  return opened(visit, about, (room, { heading, place }) => {
    setText(heading, room.name);
    setTitle(room.name);
    const page = roomPage(room, { signal: visit.signal, go });
    fill(place, page);
    // Who came to talk can begin; on a phone it would only bring the keyboard up.
    if (window.matchMedia("(hover: hover)").matches) page.querySelector("textarea").focus();
  });
}

function roomPage(about, { signal, go }) {
  const fault = h("div", { class: "room-fault" });
  const scroll = new TalkScroll(about, signal, () => void older());
  const lines = roomLines({
    again: (nonce) => talk.again(nonce),
    discard: (nonce) => talk.discard(nonce),
  });
  const earlier = h(
    "button",
    { type: "button", class: "button small", hidden: true, onclick: () => void older() },
    "Show earlier messages",
  );
  const nothing = h("p", { class: "fine talk-empty" }, "Loading…");
  fill(
    scroll.node,
    h("div", { class: "actions middle" }, earlier),
    nothing,
    lines.node,
    lines.pendingNode,
  );
  let passed = [];
  let isReading = false;

  function show() {
    if (scroll.isAtEnd && talk.said.length > MOST) talk.forget(KEPT);
    scroll.keep(() => {
      lines.show(talk, passed);
      earlier.hidden = !talk.before;
      nothing.hidden = talk.said.length > 0 || talk.pending.length > 0;
      if (talk.before !== undefined) setText(nothing, "Nothing has been said here yet.");
    }, talk.said);
  }

  async function older() {
    if (isReading || !talk.before) return;
    isReading = true;
    setAttr(lines.node, "aria-busy", true); // or all that comes would be read out
    try {
      await talk.older();
    } catch (error) {
      if (!(error instanceof Problem) || signal.aborted) throw error;
      fill(fault, problemNotice(error));
    } finally {
      isReading = false;
      setAttr(lines.node, "aria-busy", null);
    }
  }

  function comeAndGo(frame) {
    if (frame.user_id === user.get()?.id) return;
    passed = [...passed, frame].slice(-MOST_PASSED);
    show();
  }

  function ended(why, mayComeBack) {
    const again = h(
      "button",
      { type: "button", class: "button small", onclick: () => (fill(fault), talk.socket.open()) },
      "Connect again",
    );
    fill(fault, notice("bad", h("p", {}, why), mayComeBack ? h("p", {}, again) : null));
  }

  const talk = new Room(
    about.name,
    {
      changed: show,
      passed: comeAndGo,
      ended,
      failed: (error) => fill(fault, problemNotice(error)),
    },
    signal,
  );
  const write = composer(about.name, (text) => {
    scroll.toEnd();
    talk.say(text);
  });
  return h(
    "div",
    { class: "chat-room" },
    h(
      "div",
      { class: "room-head" },
      h("span", { class: "tag" }, about.public ? "public" : "private"),
      about.public ? null : membersPanel(about, signal, go),
    ),
    fault,
    h("div", { class: "talk-frame" }, scroll.node, scroll.below),
    write,
  );
}

/** The place that scrolls: it stays at the end if it was there, else where the reader is. */
class TalkScroll {
  isAtEnd = true;
  #said = [];
  #seen = 0;
  #timer = 0;

  constructor(about, signal, nearStart) {
    this.about = about;
    this.node = h("div", {
      class: "talk",
      role: "region",
      tabindex: "0",
      "aria-label": `Messages in ${about.name}`,
    });
    this.below = h(
      "button",
      { type: "button", class: "button small below", hidden: true, onclick: () => this.toEnd() },
      "",
    );
    this.node.addEventListener(
      "scroll",
      () => {
        const { scrollTop, scrollHeight, clientHeight } = this.node;
        this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
        // Not while it still moves: the keys' smooth scrolling would run on to the new start.
        clearTimeout(this.#timer);
        const isNearStart = scrollTop < NEAR_PX && scrollHeight > clientHeight;
        if (isNearStart) this.#timer = setTimeout(nearStart, SETTLED_MS);
        this.#tell();
      },
      { passive: true },
    );
    document.addEventListener("visibilitychange", () => this.#tell(), { signal });
    const observer = new ResizeObserver(() => this.isAtEnd && this.toEnd());
    observer.observe(this.node);
    signal.addEventListener("abort", () => {
      observer.disconnect();
      clearTimeout(this.#timer);
    });
  }

  /** Change what is shown, and keep the reader where they are. */
  keep(change, said) {
    const { scrollTop, scrollHeight } = this.node;
    const oldest = this.#said[0]?.seq;
    change();
    this.#said = said;
    if (this.isAtEnd) this.toEnd();
    else if (oldest !== said[0]?.seq) {
      this.node.scrollTop = scrollTop + this.node.scrollHeight - scrollHeight;
    }
    this.#tell();
  }

  toEnd() {
    this.isAtEnd = true;
    this.node.scrollTop = this.node.scrollHeight;
    this.#tell();
  }

  /** Say how many have come below what is seen. */
  #tell() {
    const newest = this.#said.at(-1)?.seq ?? 0;
    if (this.isAtEnd && !document.hidden) {
      this.#seen = newest;
      if (newest > 0) setSeen(this.about, newest);
    }
    const news = newest - this.#seen;
    setText(this.below, news === 1 ? "1 new message" : `${news} new messages`);
    this.below.hidden = this.isAtEnd || news === 0;
  }
}

function composer(name, say) {
  const text = h("textarea", {
    rows: 1,
    maxlength: MOST_TEXT,
    placeholder: "Say something",
    "aria-label": `Message to ${name}`,
    "aria-describedby": "composer-hint",
    enterkeyhint: "send",
  });
  const send = () => {
    if (text.value.trim() === "") return;
    say(text.value.trim());
    text.value = "";
    text.focus();
  };
  text.addEventListener("keydown", (event) => {
    // While characters are composed, as for Japanese, Enter only takes them over; Safari says so
    // by the key's code alone.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    send();
  });
  return h(
    "form",
    {
      class: "composer",
      "aria-label": "Say something",
      onsubmit: (event) => (event.preventDefault(), send()),
    },
    h("div", { class: "field" }, text),
    h("button", { type: "submit", class: "button primary" }, icon("talk"), "Send"),
    h(
      "p",
      { class: "fine", id: "composer-hint" },
      "Enter sends, Shift and Enter begin a new line.",
    ),
  );
}
