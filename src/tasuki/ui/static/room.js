/**
 * What is said in one room. Messages are counted without a hole, so it is known what is missing:
 * after each beginning of the socket what was said meanwhile is read, and nothing comes twice.
 */

import { get } from "./api.js";
import { freshKey } from "./format.js";
import { backoff, pause } from "./live.js";
import { RoomSocket } from "./room_socket.js";
import { user } from "./session.js";
import { keepUnsent, unsentOf } from "./unsent.js";

const PAGE = 50;
const MOST_MISSED = 500; // of more the newest are shown, the rest is history
const ECHO_WITHIN_MS = 15_000;

/** @typedef {{seq: number, id: string, user: string, user_id: number, message: string,
 *             timestamp: string, nonce?: string}} Said */
/** @typedef {{nonce: string, message: string, fault: string|null}} Pending
 *   what we said and nobody has heard yet; with a fault it waits for our word */

/**
 * @typedef {{changed: () => void, passed: (frame: any) => void,
 *            ended: (why: string, mayComeBack: boolean) => void,
 *            failed: (error: Error) => void}} RoomWatcher
 *   `changed`: something was said, sent or read; `passed`: somebody came or left
 */

export class Room {
  /** @type {Said[]} in their order, without a hole */
  said = [];
  /** @type {Pending[]} also of this tab's earlier life */
  pending;
  /** Where older ones go on; null: there are none, undefined: not known. */
  before = undefined;
  #waiting = null; // live messages while what was before them is read
  #reading = 0; // counts readings; an answer to an earlier one is dropped
  #flying = null; // the one of `pending` that is on its way
  #timer = 0;

  /**
   * @param {string} name
   * @param {RoomWatcher} on
   * @param {AbortSignal} signal
   */
  constructor(name, on, signal) {
    this.name = name;
    this.pending = unsentOf(name);
    this.path = `/chat/rooms/${encodeURIComponent(name)}/messages`;
    this.on = on;
    this.signal = signal;
    this.#waiting = [];
    this.socket = new RoomSocket(
      name,
      {
        begun: () => void this.#catchUp(),
        frame: (frame) => this.#take(frame),
        lost: () => this.#lost(),
        ended: on.ended,
      },
      signal,
    );
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Say something. It is shown at once, and is on its way as soon as there is a connection. */
  say(message) {
    this.pending.push({ nonce: freshKey(), message, fault: null });
    this.#changed();
    this.#sendNext();
  }

  /** Send something again that could not be sent. Said it is once, whatever became of the first. */
  again(nonce) {
    const one = this.pending.find((pending) => pending.nonce === nonce);
    if (one) one.fault = null;
    this.#changed();
    this.#sendNext();
  }

  discard(nonce) {
    this.pending = this.pending.filter((one) => one.nonce !== nonce);
    this.#changed();
  }

  /** Read a page of what was said before; return how many came. */
  async older() {
    const { before } = this;
    if (!before) return 0;
    const page = await this.#read(before);
    if (this.before !== before) return 0; // it has begun anew meanwhile
    this.said = [...page.items.reverse(), ...this.said];
    this.before = page.next;
    this.#changed();
    return page.items.length;
  }

  /** Forget the oldest, which can be read again. */
  forget(kept) {
    if (this.said.length <= kept) return;
    this.said = this.said.slice(-kept);
    this.before = String(this.said[0].seq);
  }

  #changed() {
    keepUnsent(this.name, this.pending);
    this.on.changed();
  }

  #read(before) {
    const query = new URLSearchParams({ limit: PAGE, ...(before && { before }) });
    return get(`${this.path}?${query}`, { signal: this.signal });
  }

  async #catchUp() {
    this.#reading += 1;
    const reading = this.#reading;
    this.#waiting ??= [];
    for (let failures = 0; ; failures += 1) {
      try {
        const missed = await this.#missed();
        if (reading === this.#reading) this.#begin(missed);
        return;
      } catch (error) {
        if (this.signal.aborted || reading !== this.#reading) return;
        if (error.status === undefined) throw error;
        if (!error.isPassing) {
          this.on.failed(error);
          return;
        }
        await pause(backoff(failures), this.signal);
      }
    }
  }

  /** Read from the newest back to what we have. */
  async #missed() {
    const newest = this.said.at(-1)?.seq ?? null;
    let items = [];
    let before = null;
    do {
      const page = await this.#read(before);
      items = [...page.items.reverse(), ...items];
      before = page.next;
    } while (newest !== null && before && Number(before) > newest + 1 && items.length < MOST_MISSED);
    return { items, before };
  }

  #begin({ items, before }) {
    const newest = this.said.at(-1)?.seq ?? 0;
    const first = items[0]?.seq ?? newest + 1;
    if (first > newest + 1 || this.before === undefined) {
      this.said = []; // too much was missed: a hole is not shown
      this.before = before;
    }
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#add([...items, ...waiting]);
    this.#flying = null;
    this.#sendNext();
  }

  #take(frame) {
    if (frame.type === "chat") {
      if (this.#waiting) this.#waiting.push(frame);
      else if (frame.seq > (this.said.at(-1)?.seq ?? 0) + 1) {
        this.#waiting = [frame];
        void this.#catchUp();
      } else this.#add([frame]);
    } else if (frame.type === "error") this.#refused(frame.message);
    else this.on.passed(frame);
  }

  #add(frames) {
    const newest = this.said.at(-1)?.seq ?? 0;
    const fresh = new Map(frames.filter(({ seq }) => seq > newest).map((one) => [one.seq, one]));
    const own = new Set();
    for (const one of frames) if (one.user_id === user.get()?.id) own.add(one.nonce);
    this.said = [...this.said, ...[...fresh.values()].sort((a, b) => a.seq - b.seq)];
    this.pending = this.pending.filter((one) => !own.has(one.nonce));
    if (this.#flying && own.has(this.#flying)) this.#landed();
    this.#changed();
  }

  /** One at a time, in their order: so an error is about the one that is on its way. */
  #sendNext() {
    const next = this.pending.find((one) => one.fault === null);
    if (!next || this.#flying || this.#waiting || !this.socket.isOpen) return;
    this.#flying = next.nonce;
    this.socket.send({ type: "chat", message: next.message, nonce: next.nonce });
    this.#timer = setTimeout(() => this.#refused("Nobody has answered."), ECHO_WITHIN_MS);
  }

  #refused(why) {
    const one = this.pending.find((pending) => pending.nonce === this.#flying);
    if (one) one.fault = why;
    this.#landed();
    this.#changed();
  }

  #landed() {
    clearTimeout(this.#timer);
    this.#flying = null;
    this.#sendNext();
  }

  /** What was on its way may have arrived; with its nonce it is sent again, and said once. */
  #lost() {
    clearTimeout(this.#timer);
    this.#flying = null;
    this.#reading += 1;
    this.#waiting ??= [];
    this.#changed();
  }
}
