/** The filters above the list of tasks; they are part of the address. */

import { h } from "../dom.js";
import { chips } from "../parts/chips.js";
import { field } from "../parts/form.js";
import { replaceQuery } from "../router.js";
import { STATE_GROUPS, STATES } from "../words.js";

const TYPING_MS = 300;
const PINNED = {
  batch_id: "batch",
  parent_id: "children of",
  replay_of: "replays of",
  queue: "queue",
};

/**
 * @param {URLSearchParams} query
 * @param {(wanted: Record<string, string>) => void} apply
 * @param {AbortSignal} signal
 */
export function taskFilters(query, apply, signal) {
  const pinned = chips(query, PINNED, () => changed());
  const fields = [stateField(), nameField(), tagField()];
  for (const { input, name } of fields) input.value = query.get(name) ?? "";
  if (fields[0].input.selectedIndex < 0) fields[0].input.value = "";
  const clear = h("button", { type: "reset", class: "button quiet" }, "Clear");
  let timer = 0;

  function wanted() {
    const given = fields.map(({ name, input }) => [name, input.value.trim()]);
    return { ...Object.fromEntries(given.filter(([, value]) => value)), ...pinned.wanted() };
  }

  function changed() {
    clearTimeout(timer);
    if (signal.aborted) return;
    const now = wanted();
    clear.hidden = Object.keys(now).length === 0;
    replaceQuery(new URLSearchParams(now));
    apply(now);
  }

  clear.hidden = Object.keys(wanted()).length === 0;
  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter the tasks",
      onsubmit: (event) => {
        event.preventDefault();
        changed();
      },
    },
    fields.map((one) => one.node),
    h("datalist", { id: "task-names" }, h("option", { value: "reports.user_activity" })),
    clear,
    pinned.node,
  );
  const [state, ...typed] = fields;
  state.input.addEventListener("change", changed);
  for (const { input } of typed) {
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(changed, TYPING_MS);
    });
  }
  node.addEventListener("reset", () => {
    pinned.clear();
    state.input.focus();
    setTimeout(changed, 0); // the fields are emptied after this event
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { node, wanted };
}

function stateField() {
  const options = STATE_GROUPS.map(([group, states]) =>
    h(
      "optgroup",
      { label: group },
      states.map((state) => h("option", { value: state }, STATES[state][0])),
    ),
  );
  return field({
    label: "State",
    name: "state",
    control: h("select", {}, h("option", { value: "" }, "Any"), options),
  });
}

function nameField() {
  return field({
    label: "Task name",
    name: "name",
    type: "search",
    list: "task-names",
    placeholder: "e.g. reports.user_activity",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 200,
  });
}

function tagField() {
  return field({
    label: "Tag",
    name: "tag",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 255,
  });
}
