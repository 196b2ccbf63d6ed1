/** What did not succeed and was not ordered again: why, how often, and the way back. For admins. */

import { get, post, Problem } from "../api.js";
import { fill, h, icon, setText } from "../dom.js";
import { number } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { keyed } from "../parts/keyed.js";
import { empty, notice, problemNotice } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { failureFilters } from "./failure_filters.js";
import { failureRow, groupRow } from "./failure_rows.js";
import { grid } from "../parts/grid.js";

const EVERY_MS = 5_000;
const PAGE = 50;
const MOST = 200; // rows; what the server gives at once
const AT_ONCE = 6; // orders under way, as many as a browser has connections

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function failuresView({ query, signal }, go) {
  const page = new FailuresPage({ query, signal, go });
  return { title: "Failures", node: page.node };
}

class FailuresPage {
  #rows = new Map(); // those that are shown, by id
  #chosen = new Set();
  #limit = PAGE;
  #turn = 0; // counts filters; an answer to an earlier one is dropped
  #found = null;
  #isBusy = false;

  constructor({ query, signal, go }) {
    this.signal = signal;
    this.go = go;
    this.said = h("div", { class: "notices" });
    this.filters = failureFilters(query, () => this.#filtered(), signal);
    this.groups = grid("Failures by task and error", ["Task", "Error", "How many", "Latest", ""]);
    this.showGroups = keyed(this.groups.body, {
      key: (one) => [one.name, one.state, one.error_type].join(" "),
      make: (one) => groupRow(one, () => this.filters.narrow(one)),
    });
    this.list = grid("Failed tasks", ["", "Task", "Why", "Ended", ""]);
    this.showRows = keyed(this.list.body, {
      key: (task) => task.id,
      make: (task) => this.#row(task),
    });
    this.#frame();
  }

  #frame() {
    this.total = h("p", { class: "total" });
    this.all = button("button primary", "retry", "Replay all", () => this.#replayAll());
    this.some = button("button", "retry", "Replay", () => this.#replayChosen());
    this.every = h("input", { type: "checkbox", id: "every-failure" });
    this.every.addEventListener("change", () => this.#choose(this.every.checked));
    this.more = h("button", { type: "button", class: "button" }, "Show more");
    this.more.addEventListener("click", () => this.#more());
    this.none = h("div", { class: "list-place" });
    this.cut = h("p", { class: "fine" }, `Only the newest ${MOST} are listed.`);
    this.panels = h(
      "div",
      { class: "stack" },
      h("div", { class: "bar-line" }, this.total, this.all.node),
      this.groups.node,
      h("h2", { class: "later" }, "One by one"),
      h(
        "div",
        { class: "bar-line" },
        h("p", { class: "check" }, this.every, h("label", { for: this.every.id }, "Choose all")),
        this.some.node,
      ),
      this.list.node,
      this.cut,
      h("div", { class: "actions middle" }, this.more),
    );
    this.panels.hidden = true;
    this.state = polled({
      signal: this.signal,
      every_ms: EVERY_MS,
      load: () => this.#load(),
      show: (found) => this.#show(found),
    });
    this.node = h(
      "div",
      { class: "view" },
      h("h1", { tabindex: "-1" }, "Failures"),
      h(
        "p",
        { class: "lead" },
        "What did not succeed and was not replayed since. To replay is to ",
        "order the same work again, for the same owner.",
      ),
      this.filters.node,
      this.said,
      this.state.node,
      this.none,
      this.panels,
    );
  }

  async #load() {
    const turn = this.#turn;
    const query = this.filters.query();
    const paged = new URLSearchParams(query);
    paged.set("limit", String(this.#limit));
    const [groups, page] = await Promise.all([
      get(`/tasks/failures/groups?${query}`, { signal: this.signal }),
      get(`/tasks/failures?${paged}`, { signal: this.signal }),
    ]);
    return { turn, groups, page };
  }

  #show(found) {
    if (found.turn !== this.#turn) return;
    this.#found = found;
    const { groups, page } = found;
    const isEmpty = page.items.length === 0;
    this.panels.hidden = isEmpty;
    if (!isEmpty) fill(this.none);
    else if (!this.none.firstChild) fill(this.none, this.#emptiness());
    this.showGroups(groups.items);
    this.#rows = new Map(page.items.map((task) => [task.id, task]));
    this.#chosen = new Set([...this.#chosen].filter((id) => this.#rows.has(id)));
    this.showRows(page.items);
    const many = countOf(groups);
    const one = groups.total === 1;
    setText(this.total, `${many} ${one ? "task matches" : "tasks match"}`);
    setText(this.all.word, one ? "Replay it" : `Replay all ${many}`);
    this.more.hidden = !page.next || this.#limit >= MOST;
    this.cut.hidden = !page.next || this.#limit < MOST;
    this.#count();
  }

  #emptiness() {
    return this.filters.isAny()
      ? empty("Nothing failed", "What fails, crashes or times out shows here by itself.")
      : empty("No failure matches", "Failures that come to match appear here by themselves.");
  }

  #filtered() {
    this.#turn += 1;
    this.#limit = PAGE;
    this.#chosen.clear();
    fill(this.none);
    fill(this.said);
    this.state.refresh();
  }

  #more() {
    this.#limit = Math.min(MOST, this.#limit + PAGE);
    this.state.refresh();
  }

  #row(task) {
    return failureRow(task, {
      isChosen: () => this.#chosen.has(task.id),
      choose: (isIt) => {
        if (isIt) this.#chosen.add(task.id);
        else this.#chosen.delete(task.id);
        this.#count();
      },
      replay: () => void this.#replay([task.id]),
    });
  }

  #choose(isAll) {
    this.#chosen = new Set(isAll ? this.#rows.keys() : []);
    this.showRows([...this.#rows.values()]);
    this.#count();
  }

  #count() {
    const count = this.#chosen.size;
    setText(this.some.word, count ? `Replay ${number(count)} chosen` : "Replay those chosen");
    this.some.node.disabled = count === 0;
    this.every.checked = count > 0 && count === this.#rows.size;
    this.every.indeterminate = count > 0 && count < this.#rows.size;
  }

  async #replayChosen() {
    const ids = [...this.#chosen];
    const yes = await confirm({
      title: `Replay ${tasks(ids.length)}?`,
      text: "Each is ordered again, with the same arguments and for the same owner.",
      yes: "Replay",
      no: "Not now",
      tone: "primary",
    });
    if (yes) await this.#replay(ids);
  }

  async #replay(ids) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const made = [];
    const faults = [];
    try {
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        const lot = ids.slice(start, start + AT_ONCE);
        const answers = await Promise.allSettled(lot.map((id) => this.#order(id)));
        for (const { value, reason } of answers) {
          if (value) made.push(value);
          else faults.push(reason);
        }
      }
    } finally {
      this.#isBusy = false;
    }
    if (this.signal.aborted) return;
    this.#chosen.clear();
    fill(this.said, made.length ? madeNotice(made) : null, faults.length ? faultOf(faults) : null);
    announce(`${tasks(made.length)} ordered again.`);
    this.state.refresh();
  }

  #order(id) {
    return post(`/tasks/${id}/replay`, undefined, { signal: this.signal });
  }

  async #replayAll() {
    const { groups } = this.#found;
    const many = countOf(groups);
    const yes = await confirm({
      title: groups.total === 1 ? "Replay one task?" : `Replay ${many} tasks?`,
      text: [
        `${this.filters.words()} Each is ordered again once, with the same arguments and for `,
        "the same owner. You can watch it and cancel it.",
      ],
      yes: groups.total === 1 ? "Replay it" : `Replay ${many} tasks`,
      no: "Not now",
      tone: "primary",
    });
    if (!yes || this.#isBusy) return;
    this.#isBusy = true;
    try {
      const { id } = await post("/tasks/replay", this.filters.order(), { signal: this.signal });
      this.go(`/tasks/${id}`);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(this.said, error.code === "task_already_running" ? busyNotice() : problemNotice(error));
    } finally {
      this.#isBusy = false;
    }
  }
}

const tasks = (count) => (count === 1 ? "1 task" : `${number(count)} tasks`);

const countOf = ({ total, is_more }) => (is_more ? `more than ${number(total)}` : number(total));

function button(className, picture, text, onclick) {
  const word = h("span", {}, text);
  const node = h("button", { type: "button", class: className, onclick }, icon(picture), word);
  return { node, word };
}

function madeNotice(made) {
  const link =
    made.length === 1
      ? h("a", { href: `/tasks/${made[0].id}` }, "Watch the new task")
      : h("a", { href: "/tasks" }, "See the tasks");
  return notice("ok", h("span", {}, `${tasks(made.length)} ordered again. `, link));
}

function faultOf(faults) {
  const [first] = faults;
  if (!(first instanceof Problem)) throw first;
  const text = faults.length > 1 ? `${tasks(faults.length)} could not be replayed.` : "";
  return problemNotice(first, text ? h("p", {}, text) : null);
}

function busyNotice() {
  return notice(
    "bad",
    h("strong", {}, "A replay of yours is still going on"),
    h("p", {}, "One at a time. ", h("a", { href: "/tasks?name=tasks.replay" }, "Look at it")),
  );
}
