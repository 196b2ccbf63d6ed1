/** Follows one task through its event stream, over lost connections and restarts. */

import { eventsHref, get } from "./api.js";
import { reporter } from "./connection.js";
import { backoff, pause } from "./live.js";
import { after } from "./record.js";
import { readEvents } from "./sse.js";
import { isEnded, KINDS } from "./words.js";

// Browsers allow six connections to a host over HTTP/1.1, all tabs together: a hidden page
// gives its own back and asks now and then instead.
const HIDDEN_AFTER_MS = 30_000;
const HIDDEN_EVERY_MS = 15_000;
const MOST_LAST_TRIES = 6;
const MOST_HISTORY = 3_000; // events; a chatty task has hundreds of thousands

/**
 * Watch one task until it ends.
 *
 * @param {string} id
 * @param {{task: (task: any) => void, events: (events: any[], isCut: boolean) => void,
 *          gone: (error: Error) => void}} on `task` gets the whole record, `events` what happened
 *   since the last call, in order, each once; `isCut`: something before them is left out
 * @param {AbortSignal} signal
 */
export function watchTask(id, on, signal) {
  new TaskWatch(id, on, signal).start();
}

class TaskWatch {
  #source = null;
  #report = reporter();
  #timer = 0;
  #failures = 0;
  #epoch = "";
  #seen = 0;
  #isOver = false;
  #task = null;
  #taskSeq = 0; // the record knows all events up to this one
  /** Live events that wait until the history before them was read. */
  #waiting = null;

  constructor(id, on, signal) {
    this.id = id;
    this.on = on;
    this.signal = signal;
  }

  start() {
    this.signal.addEventListener("abort", () => this.#stop(""));
    document.addEventListener("visibilitychange", () => this.#turned(), { signal: this.signal });
    window.addEventListener("online", () => this.#source || this.#open(), { signal: this.signal });
    this.#open();
  }

  #open() {
    clearTimeout(this.#timer);
    if (this.#isOver || this.signal.aborted) return;
    this.#source?.close();
    this.#waiting = null;
    const source = new EventSource(eventsHref(this.id));
    this.#source = source;
    source.addEventListener("open", () => {
      this.#failures = 0;
      this.#report("live");
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#take(event, source));
    source.addEventListener("error", () => this.#failed(source));
  }

  #take(message, source) {
    if (source !== this.#source) return;
    const event = JSON.parse(message.data);
    if (isEnded(event.type)) source.close(); // or it would come back to hear that it is over
    const epoch = message.lastEventId.slice(0, message.lastEventId.lastIndexOf("."));
    if (event.type === "snapshot") void this.#begin(event, epoch, source);
    else if (this.#waiting) this.#waiting.push(event);
    else this.#deliver([event], false);
  }

  /** A fresh connection: show the record, then what happened before it and is not shown yet. */
  async #begin(snapshot, epoch, source) {
    this.#waiting = [];
    if (epoch !== this.#epoch) this.#seen = 0;
    this.#epoch = epoch;
    this.#show(snapshot.data, snapshot.seq);
    const since = Math.max(this.#seen, snapshot.seq - MOST_HISTORY);
    let isCut = since > this.#seen;
    let past = [];
    try {
      const span = { epoch, since, until: snapshot.seq, signal: this.signal };
      past = await readEvents(this.id, span);
    } catch {
      isCut = true; // the live part goes on without it
    }
    if (source !== this.#source) return;
    const events = [...past, ...this.#waiting];
    this.#waiting = null;
    this.#seen = Math.max(this.#seen, past.length ? 0 : snapshot.seq);
    this.#deliver(events, isCut);
  }

  #deliver(events, isCut) {
    const fresh = events.filter((event) => event.seq > this.#seen);
    if (fresh.length === 0) return;
    this.#seen = fresh.at(-1).seq;
    this.on.events(fresh, isCut);
    const news = fresh.filter((event) => event.seq > this.#taskSeq);
    if (news.length > 0) this.#show(news.reduce(after, this.#task), this.#seen);
    if (isEnded(fresh.at(-1).type)) void this.#finish();
  }

  #show(task, seq) {
    this.#task = task;
    this.#taskSeq = Math.max(this.#taskSeq, seq);
    this.on.task(task);
  }

  /** The last event says that it ended; the record says with what. */
  async #finish() {
    this.#isOver = true;
    this.#stop("");
    for (let tries = 0; tries < MOST_LAST_TRIES && !this.signal.aborted; tries += 1) {
      if (await this.#ask()) return;
      await pause(backoff(tries), this.signal);
    }
  }

  #failed(source) {
    if (source !== this.#source || this.#isOver) return;
    this.#report("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    this.#source = null;
    const pause_ms = backoff(this.#failures);
    this.#failures += 1;
    this.#timer = setTimeout(async () => {
      await this.#ask(); // says why, where it is not the network
      this.#open();
    }, pause_ms);
  }

  /** Fetch and show the record; return whether it came. What does not pass ends the watch. */
  async #ask() {
    try {
      const task = await get(`/tasks/${encodeURIComponent(this.id)}`, { signal: this.signal });
      this.#show(task, 0);
      return true;
    } catch (error) {
      if (this.signal.aborted || error.isPassing) return false;
      this.#isOver = true;
      this.#stop("");
      this.on.gone(error);
      return false;
    }
  }

  #turned() {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    if (document.hidden) this.#timer = setTimeout(() => this.#rest(), HIDDEN_AFTER_MS);
    else if (!this.#source || this.#source.readyState === EventSource.CLOSED) this.#open();
  }

  async #rest() {
    this.#source?.close();
    this.#source = null;
    this.#report("paused");
    await this.#ask();
    if (isEnded(this.#task?.state) || this.#isOver || this.signal.aborted) return;
    if (document.hidden) {
      this.#timer = setTimeout(() => this.#rest(), HIDDEN_EVERY_MS);
    }
  }

  #stop(state) {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#report(state);
  }
}
