/** Which failures are shown, and so which are replayed; part of the address. */

import { h } from "../dom.js";
import { chips } from "../parts/chips.js";
import { field } from "../parts/form.js";
import { replaceQuery } from "../router.js";
import { STATES } from "../words.js";

const TYPING_MS = 300;
const BAD = ["failed", "crashed", "timed_out"];
const CHOICES = [
  ["", "Failed, crashed, timed out", BAD],
  ...[...BAD, "cancelled", "expired"].map((state) => [state, STATES[state][0], [state]]),
  ["any", "All that did not succeed", null],
];
const SPANS = [
  ["", "At any time", null],
  ["hour", "In the last hour", 3_600_000],
  ["day", "In the last 24 hours", 86_400_000],
  ["week", "In the last 7 days", 604_800_000],
];
const PINNED = { queue: "queue", tag: "tag", batch_id: "batch" };

export function failureFilters(query, changed, signal) {
  const pinned = chips(query, PINNED, () => apply());
  const choose = (choices) =>
    h(
      "select",
      {},
      choices.map(([value, words]) => h("option", { value }, words)),
    );
  const state = field({ label: "State", name: "state", control: choose(CHOICES) });
  const name = field({ label: "Task name", ...text("name") });
  const error = field({ label: "Error type", ...text("error_type") });
  const ended = field({ label: "Ended", name: "ended", control: choose(SPANS) });
  const fields = [state, name, error, ended];
  for (const { input, name: key } of fields) {
    input.value = query.get(key) ?? "";
    if (input.selectedIndex < 0) input.value = "";
  }
  let since = null; // fixed when it is chosen, so that what is counted is what is replayed
  const clear = h("button", { type: "reset", class: "button quiet" }, "Clear");
  let timer = 0;

  const given = () => {
    const values = fields.map((one) => [one.name, one.input.value.trim()]);
    return { ...Object.fromEntries(values.filter(([, value]) => value)), ...pinned.wanted() };
  };

  function settle() {
    const [, , span] = SPANS.find(([value]) => value === ended.input.value);
    since = span ? new Date(Date.now() - span).toISOString() : null;
    clear.hidden = Object.keys(given()).length === 0;
  }

  function apply() {
    clearTimeout(timer);
    if (signal.aborted) return;
    settle();
    replaceQuery(new URLSearchParams(given()));
    changed();
  }

  function order() {
    const [, , states] = CHOICES.find(([value]) => value === state.input.value);
    const { state: _state, ended: _ended, ...rest } = given();
    return { ...rest, ...(states && { state: states }), ...(since && { since }) };
  }

  settle();
  const node = h(
    "form",
    {
      class: "filters of-four",
      role: "search",
      "aria-label": "Filter the failures",
      onsubmit: (event) => {
        event.preventDefault();
        apply();
      },
    },
    fields.map((one) => one.node),
    clear,
    pinned.node,
  );
  for (const one of [state, ended]) one.input.addEventListener("change", apply);
  for (const one of [name, error]) {
    one.input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, TYPING_MS);
    });
  }
  node.addEventListener("reset", () => {
    pinned.clear();
    state.input.focus();
    setTimeout(apply, 0); // the fields are emptied after this event
  });
  signal.addEventListener("abort", () => clearTimeout(timer));

  return {
    node,
    /** What a replay is ordered with. */
    order,
    query() {
      const query = new URLSearchParams();
      for (const [key, value] of Object.entries(order())) {
        for (const one of [value].flat()) query.append(key, one);
      }
      return query;
    },
    isAny: () => Object.keys(given()).length === 0,
    /** Only those like one group. */
    narrow(group) {
      state.input.value = group.state;
      name.input.value = group.name;
      error.input.value = group.error_type ?? "";
      apply();
      name.input.focus();
    },
    /** The filter in a sentence, for the question before a replay. */
    words() {
      const { state: _state, ended: _ended, ...rest } = given();
      const parts = Object.entries(rest).map(
        ([key, value]) => `${key.replace("_", " ")} ${value}`,
      );
      const [, which] = CHOICES.find(([value]) => value === state.input.value);
      const [, when] = SPANS.find(([value]) => value === ended.input.value);
      return `${[which, ...parts, when.toLowerCase()].join(", ")}.`;
    },
  };
}

function text(name) {
  return { name, type: "search", autocomplete: "off", spellcheck: "false", maxlength: 255 };
}
