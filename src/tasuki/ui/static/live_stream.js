/**
 * The one stream of a tab: what its user is told, and what pages ask for besides.
 *
 * Browsers allow six connections to a host over HTTP/1.1, all tabs together. So a tab has one
 * stream, however many listen (the page of a task has one more), and a hidden tab gives it back
 * and goes on later where it was.
 */

import { get, streamHref } from "./api.js";
import { reporter } from "./connection.js";
import { backoff } from "./live.js";

const HIDDEN_AFTER_MS = 30_000;

/** @typedef {{channel: string, offset: number|null, type: string, at: string, data: any}} Told */
/**
 * @typedef {{on: Record<string, (told: Told) => void>, channels?: string[],
 *            opened?: () => void, missed?: () => void}} Listener
 *   `on` has a function for each type of event; `channels` are those besides the user's own;
 *   `opened` is called whenever the stream begins or goes on, for what has no history; `missed`
 *   only where events may be lost, so that what they would have changed must be loaded anew
 */

/** @type {LiveStream|null} */
let stream = null;

/** Open the stream of a user, until the signal says stop. */
export function openStream(userId, signal) {
  stream = new LiveStream(["system", `user:${userId}`], signal);
}

/**
 * Hear what the stream brings, until the signal says stop.
 *
 * @param {Listener} listener
 * @param {AbortSignal} signal
 */
export function listen(listener, signal) {
  stream.add(listener, signal);
}

class LiveStream {
  /** @type {Set<Listener>} */
  #listeners = new Set();
  #source = null;
  #channels = []; // of the source
  #types = new Set(); // of events that are heard from the source
  #version = "";
  #places = new Map(); // by channel, as the ids of events have them
  #refused = new Set(); // channels that may be why a stream was not opened
  #failures = 0;
  #timer = 0;
  #report = reporter();

  constructor(own, signal) {
    this.own = own;
    this.signal = signal;
    signal.addEventListener("abort", () => this.#close(""), { once: true });
    document.addEventListener("visibilitychange", () => this.#turned(), { signal });
    // A connection that the network took with it may look open for minutes.
    for (const change of ["online", "offline"]) {
      window.addEventListener(change, () => document.hidden || this.#open(), { signal });
    }
    this.#open();
    this.#turned();
  }

  add(listener, signal) {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    this.#hearTypes();
    signal.addEventListener("abort", () => this.#remove(listener), { once: true });
    if (listener.channels) this.#settle();
  }

  #remove(listener) {
    this.#listeners.delete(listener);
    if (listener.channels) this.#settle();
  }

  /** Open anew if other channels are wanted: once, also where one page follows another. */
  #settle() {
    queueMicrotask(() => {
      if (this.signal.aborted) return;
      this.#refused.clear();
      if (this.#source && this.#wanted().join() !== this.#channels.join()) this.#open();
    });
  }

  #wanted() {
    const others = [...this.#listeners].flatMap((one) => one.channels ?? []);
    const all = new Set([...this.own, ...others.filter((name) => !this.#refused.has(name))]);
    return [...all].sort();
  }

  #open() {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    this.#source?.close();
    this.#channels = this.#wanted();
    const source = new EventSource(streamHref(this.#channels, this.#id()));
    this.#source = source;
    this.#types = new Set();
    source.addEventListener("open", () => this.#begun());
    source.addEventListener("reset", (event) => {
      this.#note(event);
      this.#tell("missed");
    });
    source.addEventListener("error", () => this.#failed(source));
    this.#hearTypes();
  }

  #begun() {
    this.#failures = 0;
    this.#report("live");
    // Until an event came nobody knows whether the server has: it may have put us off.
    if (this.#channels.some((name) => !this.#places.has(name))) this.#tell("missed");
    this.#tell("opened");
  }

  #hearTypes() {
    if (!this.#source) return;
    for (const type of [...this.#listeners].flatMap((one) => Object.keys(one.on))) {
      if (this.#types.has(type)) continue;
      this.#types.add(type);
      this.#source.addEventListener(type, (event) => this.#take(event));
    }
  }

  #take(event) {
    this.#note(event);
    const told = JSON.parse(event.data);
    for (const one of [...this.#listeners]) one.on[told.type]?.(told);
  }

  #tell(what) {
    for (const one of [...this.#listeners]) one[what]?.();
  }

  /** The id of an event has the places of all channels, in the order of their names. */
  #note({ lastEventId }) {
    const [version, ...places] = lastEventId.split(";");
    if (places.length !== this.#channels.length) return;
    this.#version = version;
    const known = this.#channels.map((name, index) => [name, places[index]]);
    this.#places = new Map(known.filter(([, place]) => place !== "-"));
  }

  #id() {
    if (this.#places.size === 0) return "";
    const places = this.#channels.map((name) => this.#places.get(name) ?? "-");
    return [this.#version, ...places].join(";");
  }

  #failed(source) {
    if (source !== this.#source) return;
    this.#report("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    this.#source = null;
    for (const name of this.#channels) if (!this.own.includes(name)) this.#refused.add(name);
    this.#timer = setTimeout(() => void this.#again(), backoff(this.#failures));
    this.#failures += 1;
  }

  async #again() {
    // Whoever is not signed in any more learns it from this.
    await get("/auth/me", { signal: this.signal }).catch(() => {});
    if (this.signal.aborted || this.#source) return;
    this.#tell("missed"); // as long as there is no stream, asking now and then must do
    this.#open();
  }

  #turned() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#timer = setTimeout(() => this.#close("paused"), HIDDEN_AFTER_MS);
    } else if (!this.#source) this.#open();
  }

  #close(state) {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#report(state);
  }
}
