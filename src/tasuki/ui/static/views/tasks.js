/** The list of tasks: filters, pages, and news without a reload. */

import { get, Problem } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { connection } from "../connection.js";
import { keepFresh, throttled } from "../live.js";
import { listen } from "../live_stream.js";
import { announce } from "../parts/announce.js";
import { empty, problemNotice } from "../parts/notice.js";
import { isAdmin } from "../session.js";
import { isEnded } from "../words.js";
import { taskFilters } from "./task_filters.js";
import { taskRow } from "./task_row.js";

const PAGE = 50;
const BUSY_MS = 2_000; // how far running tasks are is told by no event
const IDLE_MS = 5_000; // tasks of others come without an event, and ours if the stream is away
const QUIET_MS = 60_000; // what an event tells; it may be lost with a process
const NEWS_MS = 1_000; // thousands of tasks may change at once
const MOST_OLD = 8; // unfinished tasks of older pages that are asked for at a time

export function tasksView({ query, signal }) {
  const list = new TaskList({ withOwner: isAdmin(), signal });
  const filters = taskFilters(query, (wanted) => list.filter(wanted), signal);
  const node = h(
    "div",
    { class: "view" },
    h(
      "div",
      { class: "view-head" },
      h("h1", { tabindex: "-1" }, isAdmin() ? "Tasks" : "My tasks"),
      h("a", { href: "/reports/new", class: "button primary" }, icon("report"), "Order a report"),
    ),
    filters.node,
    list.node,
  );
  list.begin(filters.wanted());
  return { title: isAdmin() ? "Tasks" : "My tasks", node };
}

class TaskList {
  /** @type {Map<string, ReturnType<typeof taskRow>>} by id, newest first */
  #rows = new Map();
  #next = null;
  #wanted = {};
  #turn = 0; // counts filters; an answer to an earlier one is dropped
  #hasAsked = false;
  #refresh = () => {};

  constructor({ withOwner, signal }) {
    this.withOwner = withOwner;
    this.signal = signal;
    this.body = h("tbody", { role: "rowgroup" });
    this.place = h(
      "div",
      { class: "list-place" },
      h("p", { class: "loading", role: "status" }, "Loading…"),
    );
    this.table = h(
      "table",
      { class: "tasks", role: "table", "aria-label": "Tasks" },
      this.#head(),
      this.body,
    );
    this.table.hidden = true;
    this.more = h(
      "button",
      { type: "button", class: "button", onclick: () => void this.#older() },
      "Show more",
    );
    this.more.hidden = true;
    this.node = h(
      "div",
      {},
      this.table,
      this.place,
      h("div", { class: "actions middle" }, this.more),
    );
  }

  begin(wanted) {
    this.#wanted = wanted;
    this.#refresh = keepFresh((signal) => this.#load(signal), this.signal);
    const news = throttled(() => this.#refresh(), NEWS_MS, this.signal);
    listen({ on: { tasks: news }, opened: news }, this.signal);
  }

  filter(wanted) {
    this.#wanted = wanted;
    this.#turn += 1;
    this.#hasAsked = false;
    this.#refresh();
  }

  #head() {
    const names = [
      "State",
      "Task",
      "Progress",
      this.withOwner && "Owner",
      "Ordered",
      "Ran for",
    ].filter(Boolean);
    const cells = names.map((name) => h("th", { role: "columnheader", scope: "col" }, name));
    return h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, cells));
  }

  #path(cursor) {
    const query = new URLSearchParams({ limit: PAGE, ...this.#wanted });
    if (cursor) query.set("cursor", cursor);
    return `/tasks?${query}`;
  }

  /** Bring the first page up to date, and what is unfinished on those after it. */
  async #load(signal) {
    const turn = this.#turn;
    let page;
    try {
      page = await get(this.#path(), { signal });
    } catch (error) {
      if (error instanceof Problem && turn === this.#turn && !signal.aborted) this.#say(error);
      throw error;
    }
    if (turn !== this.#turn) return 0;
    this.#take(page);
    await this.#loadOld(new Set(page.items.map((task) => task.id)), signal);
    return this.#pause();
  }

  #take(page) {
    const isNews = page.items.some((task) => !this.#rows.has(task.id));
    const isJoined = page.items.some((task) => this.#rows.has(task.id));
    if (!this.#hasAsked || (!isJoined && this.#rows.size > 0)) {
      // A new filter, or so many new tasks that there would be a hole: begin afresh.
      this.#keepOnly(new Set(page.items.map((task) => task.id)));
      this.#next = page.next;
    } else {
      this.#dropGone(page);
    }
    for (const task of page.items) this.#put(task);
    if (isNews) this.#sort();
    this.#hasAsked = true;
    this.#show();
  }

  /** Rows within the page's span that are not on it have left the filter, or were purged. */
  #dropGone(page) {
    const there = new Set(page.items.map((task) => task.id));
    const last = page.next ? page.items.at(-1)?.id : "";
    for (const id of this.#rows.keys()) {
      if (id >= last && !there.has(id)) this.#drop(id);
    }
  }

  async #loadOld(fresh, signal) {
    const old = [...this.#rows.values()]
      .map((row) => row.task())
      .filter((task) => !fresh.has(task.id) && !isEnded(task.state))
      .slice(0, MOST_OLD);
    const answers = await Promise.allSettled(
      old.map((task) => get(`/tasks/${task.id}`, { signal })),
    );
    for (const [index, { status, value, reason }] of answers.entries()) {
      if (status === "fulfilled") this.#putIfWanted(value);
      else if (reason.status === 404) this.#drop(old[index].id);
    }
  }

  #putIfWanted(task) {
    const { state } = this.#wanted;
    if (state && task.state !== state) this.#drop(task.id);
    else this.#rows.get(task.id)?.update(task);
  }

  async #older() {
    const turn = this.#turn;
    this.more.setAttribute("aria-disabled", "true");
    try {
      const page = await get(this.#path(this.#next), { signal: this.signal });
      if (turn !== this.#turn) return;
      for (const task of page.items) this.#put(task);
      this.#next = page.next;
      this.#sort();
      this.#show();
      announce(`${page.items.length} more tasks.`);
      this.#rows.get(page.items[0]?.id)?.node.querySelector("a").focus();
    } catch (error) {
      if (error instanceof Problem && !this.signal.aborted) this.#say(error);
    } finally {
      this.more.removeAttribute("aria-disabled");
    }
  }

  #put(task) {
    const row = this.#rows.get(task.id);
    if (row) row.update(task);
    else {
      const made = taskRow(task, { withOwner: this.withOwner });
      made.node.toggleAttribute("data-new", this.#hasAsked);
      this.#rows.set(task.id, made);
    }
  }

  /** Ids are made in the order of time. Only what stands elsewhere is moved. */
  #sort() {
    const sorted = [...this.#rows].sort(([a], [b]) => (a < b ? 1 : -1));
    this.#rows = new Map(sorted);
    let place = this.body.firstChild;
    for (const [, { node }] of sorted) {
      if (node === place) place = place.nextSibling;
      else this.body.insertBefore(node, place);
    }
  }

  #keepOnly(ids) {
    for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#drop(id);
  }

  #drop(id) {
    const { node } = this.#rows.get(id);
    if (node.contains(document.activeElement)) {
      const near = node.nextElementSibling ?? node.previousElementSibling;
      (near?.querySelector("a") ?? document.getElementById("main")).focus();
    }
    node.remove();
    this.#rows.delete(id);
  }

  /** How long the list stays true without being asked for. */
  #pause() {
    const states = [...this.#rows.values()].map((row) => row.task().state);
    const isTold = !this.withOwner && connection.get() === "live";
    const isMoving = isTold
      ? states.some((state) => state === "running" || state === "cancelling")
      : states.some((state) => !isEnded(state));
    if (isMoving) return BUSY_MS;
    return isTold ? QUIET_MS : IDLE_MS;
  }

  #show() {
    const isEmpty = this.#rows.size === 0;
    this.table.hidden = isEmpty;
    this.more.hidden = !this.#next || isEmpty;
    if (!isEmpty) this.place.replaceChildren();
    else if (!this.place.querySelector(".empty")) fill(this.place, this.#emptiness());
    else if (this.place.dataset.turn !== String(this.#turn)) fill(this.place, this.#emptiness());
    this.place.dataset.turn = String(this.#turn);
  }

  #emptiness() {
    if (Object.keys(this.#wanted).length > 0) {
      return empty("No task matches", "Tasks that come to match appear here by themselves.");
    }
    const order = h("a", { href: "/reports/new", class: "button" }, "Order a report");
    return empty(
      "Nothing on its way yet",
      "Work that you order shows here, from the start to its end.",
      order,
    );
  }

  #say(problem) {
    this.place.dataset.turn = "";
    fill(this.place, problemNotice(problem));
  }
}
