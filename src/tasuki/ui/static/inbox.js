/** What the user was told: the newest first, and how many are unread. True in every tab. */

import { get, post } from "./api.js";
import { backoff, pause } from "./live.js";
import { listen } from "./live_stream.js";
import { announce } from "./parts/announce.js";
import { store } from "./store.js";
import { ID } from "./words.js";

const PAGE = 50;
const HIDDEN_LOOK_MS = 60_000; // a hidden tab has no stream, but shows the number in its title
const MOST = 1_000; // kept in a tab; with more it begins anew

/** @typedef {{id: string, notification_type: string, title: string, message: string, data: any,
 *             timestamp: string, broadcast: boolean, read: boolean}} Note */

/** @type {ReturnType<typeof store<{items: Note[], next: string|null, unread: number}|null>>}
 *  null: not known yet; `next` is where older ones go on */
export const inbox = store(null);

/** Keep the inbox of who is signed in true, until the signal says stop. */
export function keepInbox(signal) {
  inbox.set(null);
  const keeper = new Keeper(signal);
  const told = (broadcast) => (event) => keeper.add({ ...event.data, broadcast, read: false });
  listen(
    {
      on: {
        notification: told(false),
        system_notification: told(true),
        notifications_read: (event) => keeper.mark(event.data),
      },
      missed: () => void keeper.load(),
    },
    signal,
  );
}

/** Add a page of older ones. */
export async function loadOlder(signal) {
  const { next } = inbox.get();
  const page = await get(`/notifications?${new URLSearchParams({ limit: PAGE, cursor: next })}`, {
    signal,
  });
  const now = inbox.get();
  if (now?.next !== next) return; // it has begun anew meanwhile
  const known = new Set(now.items.map((note) => note.id));
  const older = page.items.filter((note) => !known.has(note.id));
  inbox.set({ ...now, items: [...now.items, ...older], next: page.next });
}

export async function markRead(note) {
  if (note.read) return;
  await post(`/notifications/${note.id}/read`);
  const now = inbox.get();
  // The stream tells it as well, with the number; here it shows even while that is away.
  if (now?.items.some((one) => one.id === note.id && !one.read)) {
    const unread = Math.max(0, now.unread - 1);
    inbox.set({ ...now, items: marked(now.items, [note.id]), unread });
  }
}

export async function markAllRead() {
  await post("/notifications/read-all");
}

/** Where a notification leads, if it is about something that has a page. */
export function placeOf(note) {
  const id = note.data?.task_id;
  return typeof id === "string" && ID.test(id) ? `/tasks/${id}` : null;
}

class Keeper {
  #isBusy = false;
  #isAskedAgain = false;
  /** Those that the number has counted already, though the stream may tell them still. */
  #counted = new Set();

  constructor(signal) {
    this.signal = signal;
    const looking = setInterval(() => document.hidden && void this.load(), HIDDEN_LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(looking), { once: true });
  }

  async load() {
    if (this.#isBusy) {
      this.#isAskedAgain = true;
      return;
    }
    this.#isBusy = true;
    for (let failures = 0; !this.signal.aborted; failures += 1) {
      this.#isAskedAgain = false;
      if (await this.#ask()) {
        if (!this.#isAskedAgain) break;
        failures = 0;
      } else await pause(backoff(failures), this.signal);
    }
    this.#isBusy = false;
  }

  /** Return whether there is nothing more to try. */
  async #ask() {
    try {
      const page = await get(`/notifications?limit=${PAGE}`, { signal: this.signal });
      this.#counted = new Set(page.items.map((note) => note.id));
      inbox.set(page);
    } catch (error) {
      if (this.signal.aborted) return true;
      if (error.status === undefined) throw error;
      return !error.isPassing;
    }
    return true;
  }

  /** Somebody told something. */
  add(note) {
    announce(`New notification: ${note.title}`);
    const now = inbox.get();
    if (this.#isBusy || !now || now.items.length >= MOST) {
      // What is on its way may have been read before this, or after it.
      void this.load();
      return;
    }
    const isNew = !this.#counted.delete(note.id);
    const others = now.items.filter((one) => one.id !== note.id);
    inbox.set({ ...now, items: [note, ...others], unread: now.unread + (isNew ? 1 : 0) });
  }

  /** Something was read, in this tab or in another. */
  mark({ ids, all, unread }) {
    // What is told from here on is not in this number.
    this.#counted.clear();
    const now = inbox.get();
    if (this.#isBusy || !now) void this.load();
    else inbox.set({ ...now, items: marked(now.items, all ? null : ids), unread });
  }
}

/** @param {string[]|null} ids null: all */
function marked(items, ids) {
  const isRead = (note) => ids === null || ids.includes(note.id);
  return items.map((note) => (isRead(note) ? { ...note, read: true } : note));
}
