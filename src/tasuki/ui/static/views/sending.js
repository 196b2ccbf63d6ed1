/** The page of a sending: how far it is, live; pausing, going on, cancelling; and each recipient. */

import { call, get, post } from "../api.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { number, setSpent, spent, when } from "../format.js";
import { keepFresh } from "../live.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { guarded, notice } from "../parts/notice.js";
import { opened } from "../parts/opened.js";
import { setOwner } from "../parts/people.js";
import { progressBar, setProgress } from "../parts/progress.js";
import { isAdmin } from "../session.js";
import { setTitle } from "../title.js";
import { watchBatch } from "../watch_batch.js";
import { paceOf } from "./sending_pace.js";
import { sendingRecipients } from "./sending_recipients.js";
import { asTask, endedOf, stateOf } from "./sending_words.js";

const PAUSE_EVERY_MS = 5_000; // somebody may pause it elsewhere, which is no news of the batch
const NEVER_MS = 86_400_000;
const COUNTERS = [
  ["queued", "Waiting", "wait", "Deferred ones too: the mail system said “later”."],
  ["running", "Sending", "run", "They are being handed to the mail system."],
  ["succeeded", "Sent", "ok", "The mail system has taken them."],
  ["failed", "Failed or unknown", "bad", "Refused, out of time, or nobody heard the answer."],
  ["cancelled", "Left out", "off", "Suppressed, or cancelled before they were sent."],
];
const ABOUT = {
  title: "Mails to many",
  missing: "There is no such sending.",
  path: "/mail/batches",
  back: { href: "/mail/sendings", words: "Mails to many" },
};

/** @param {import("../router.js").Visit} visit */
export function sendingView(visit) {
  const { params, signal } = visit;
  return opened(visit, ABOUT, (first, { heading, place, lost }) => {
    const page = new SendingPage(first, signal);
    fill(heading, first.subject);
    fill(place, page.node);
    watchBatch(params.id, { batch: (batch) => page.show({ batch }), gone: lost }, signal);
  });
}

class SendingPage {
  #pace = paceOf();
  #quarter = null;

  constructor(first, signal) {
    this.sending = first;
    this.signal = signal;
    this.path = `/mail/batches/${first.id}`;
    this.state = h("span", { class: "badge plain" });
    this.bar = progressBar("Progress of the sending");
    this.count = h("span", { class: "hero-count" });
    this.pace = h("span", { class: "hero-count" });
    this.took = spent();
    this.said = h("div", { role: "status" });
    this.counters = new Map(COUNTERS.map(([key, ...words]) => [key, counter(...words)]));
    this.pause = button("", "clock", "Pause", () => this.#pauseIt());
    this.resume = button("primary", "run", "Go on", () => this.#resumeIt());
    this.cancel = button("danger-quiet", "stop", "Cancel", () => this.#cancelIt());
    this.recipients = sendingRecipients(first.id, signal);
    this.node = h("div", { class: "task-page" }, this.#hero(), this.recipients.node);
    this.show(first);
    keepFresh(() => this.#ask(), signal);
  }

  #hero() {
    const owner = isAdmin() ? h("span", {}) : null;
    if (owner) setOwner(owner, this.sending.owner_id);
    this.hero = h(
      "section",
      { class: "hero", "aria-label": "State" },
      h(
        "div",
        { class: "hero-top" },
        this.state,
        h("span", { class: "hero-about" }),
        this.pause,
        this.resume,
        this.cancel,
      ),
      this.bar,
      h("div", { class: "hero-bottom" }, this.count, this.pace),
      h(
        "dl",
        { class: "counters" },
        [...this.counters.values()].map((one) => one.node),
      ),
      h(
        "p",
        { class: "hero-times" },
        "Ordered ",
        when(this.sending.created_at),
        owner && [" by ", owner],
        h("span", { class: "sep" }, "·"),
        "under way for ",
        this.took,
        h("span", { class: "sep" }, "·"),
        h("a", { href: `/tasks?batch_id=${this.sending.id}` }, "its tasks"),
      ),
      this.said,
    );
    return this.hero;
  }

  /** @param {any} news what has changed of the sending */
  show(news) {
    const wasOver = this.sending.batch.finished_at;
    this.sending = { ...this.sending, ...news };
    const { batch, is_paused: isPaused } = this.sending;
    const isOver = Boolean(batch.finished_at);
    const [word, tone] = stateOf(this.sending);
    setText(this.state, word);
    for (const node of [this.state, this.hero]) setAttr(node, "data-tone", tone);
    setProgress(this.bar, asTask(this.sending));
    setText(this.count, `${number(endedOf(batch))} of ${number(batch.total)} are through`);
    setText(this.pace, this.#pace(this.sending));
    for (const [key, one] of this.counters) one.show(batch[key]);
    setSpent(this.took, batch.created_at, batch.finished_at);
    offer(this.pause, !isOver && !isPaused && !batch.cancel_requested_at);
    offer(this.resume, !isOver && isPaused && !batch.cancel_requested_at);
    offer(this.cancel, !isOver);
    this.recipients.setMoving(!isOver);
    if (isOver && !wasOver) this.recipients.refresh();
    const part = Math.floor(batch.progress * 100);
    setTitle(`${isOver ? "✓" : `${part} %`} ${this.sending.subject}`);
    this.#say(isOver, word, part);
  }

  /** Says the end, and every quarter of the way. */
  #say(isOver, word, part) {
    const now = isOver ? 5 : Math.floor(part / 25);
    if (this.#quarter !== null && now > this.#quarter) {
      announce(isOver ? `The sending is over: ${word}.` : `Sending: ${part} %.`);
    }
    this.#quarter = now;
  }

  async #ask() {
    if (this.sending.batch.finished_at) return NEVER_MS;
    const { is_paused: isPaused } = await get(this.path, { signal: this.signal });
    this.show({ is_paused: isPaused });
    return PAUSE_EVERY_MS;
  }

  #pauseIt() {
    return this.#do(async () => {
      await this.#order("pause");
      return "Paused. What is being handed over goes on; nothing more begins.";
    });
  }

  #resumeIt() {
    return this.#do(async () => {
      await this.#order("resume");
      return "It goes on.";
    });
  }

  #cancelIt() {
    return this.#do(async () => {
      const yes = await confirm({
        title: "Cancel this sending?",
        text: "Who has not been written to gets nothing. What has been sent cannot be taken back.",
        yes: "Cancel the rest",
        no: "Keep it",
      });
      if (!yes) return "";
      const { signal } = this;
      const batch = await call("POST", `/batches/${this.sending.id}/cancel`, { signal });
      return `Cancelled: ${number(batch.cancelled)} get nothing, ${number(batch.succeeded)} were sent.`;
    });
  }

  /** Take only what no live number tells; the rest may be older than what is shown. */
  async #order(deed) {
    const answer = await post(`${this.path}/${deed}`, undefined, { signal: this.signal });
    this.show({ is_paused: answer.is_paused });
  }

  async #do(deed) {
    await guarded(this.said, this.signal, async () => {
      const words = await deed();
      if (words) fill(this.said, notice("ok", words));
    });
    this.recipients.refresh();
  }
}

function button(className, picture, text, onclick) {
  return h(
    "button",
    { type: "button", class: `button ${className}`, onclick: () => void onclick() },
    icon(picture),
    text,
  );
}

function offer(node, isOffered) {
  if (!isOffered && document.activeElement === node) document.querySelector("h1").focus();
  node.hidden = !isOffered;
}

function counter(word, tone, meaning) {
  const value = h("dd", {});
  const node = h("div", { "data-tone": tone, title: meaning }, h("dt", {}, word), value);
  return {
    node,
    show(count) {
      setText(value, number(count));
      setAttr(node, "data-none", count === 0);
    },
  };
}
