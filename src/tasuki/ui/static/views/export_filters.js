/** Fields for what a dataset may be filtered by, made from the kinds of its columns. */

import { h, setText } from "../dom.js";
import { field } from "../parts/form.js";

const INPUTS = {
  integer: { type: "number", step: 1, inputmode: "numeric" },
  number: { type: "number", step: "any", inputmode: "decimal" },
  timestamp: { type: "datetime-local", step: 1 },
  date: { type: "date" },
};
const TEXT = { type: "text", maxlength: 1000, autocomplete: "off", spellcheck: "false" };
const BOUNDS = { _from: "from", _before: "before" };

/**
 * @param {{columns: {name: string, kind: string}[], filters: string[], owner: string|null,
 *          rows_of: "all"|"own"}} dataset as the API tells of it
 */
export function exportFilters(dataset) {
  const kinds = new Map(dataset.columns.map(({ name, kind }) => [name, kind]));
  const names = [...dataset.filters];
  // Who may have the rows of all may ask for those of one.
  const { owner } = dataset;
  if (dataset.rows_of === "all" && owner && !names.includes(owner)) names.unshift(owner);
  const filters = names.map((name) => filterOf(name, kinds)).filter(Boolean);
  const times = filters.filter((one) => one.kind === "timestamp");
  const plain = filters.filter((one) => one.kind !== "timestamp");
  const zone = times.length > 0 ? zoneField() : null;
  const summary = h("summary", {}, "Only some rows");
  const node = h(
    "details",
    { class: "export-filters" },
    summary,
    h("div", { class: "export-fields" }, nodesOf(plain)),
    h("div", { class: "export-fields wide" }, nodesOf(times), zone?.node),
  );

  function wanted() {
    const isUtc = zone?.input.value === "utc";
    const given = filters.map((one) => [one.name, valueOf(one, isUtc)]);
    return Object.fromEntries(given.filter(([, value]) => value !== ""));
  }

  node.addEventListener("input", () => {
    const count = filters.filter(({ input }) => input.value !== "").length;
    setText(summary, count ? `Only some rows (${count})` : "Only some rows");
  });
  for (const one of filters) openFor(one, node);
  return { node, fields: filters, wanted };
}

const nodesOf = (fields) => fields.map((one) => one.node);

function filterOf(name, kinds) {
  const [ending, bound] = kinds.has(name)
    ? ["", ""]
    : Object.entries(BOUNDS).find(([one]) => name.endsWith(one));
  const column = name.slice(0, name.length - ending.length);
  const kind = kinds.get(column);
  if (kind === "timestamp" && !bound) return null; // nobody knows a moment to the microsecond
  const label = bound ? `${column}, ${bound}` : column;
  const made =
    kind === "boolean"
      ? field({ label, name, control: yesOrNo() })
      : field({ label, name, ...(INPUTS[kind] ?? TEXT) });
  return { ...made, kind };
}

function valueOf({ input, kind }, isUtc) {
  const text = input.value.trim();
  if (kind !== "timestamp" || text === "") return text;
  return new Date(isUtc ? `${text}Z` : text).toISOString();
}

function yesOrNo() {
  const choices = [
    ["", "any"],
    ["true", "yes"],
    ["false", "no"],
  ];
  return h(
    "select",
    {},
    choices.map(([value, word]) => h("option", { value }, word)),
  );
}

function zoneField() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "your zone";
  return field({
    label: "These times are in",
    name: "zone",
    control: h(
      "select",
      {},
      h("option", { value: "own" }, own),
      h("option", { value: "utc" }, "UTC"),
    ),
  });
}

/** A fault must be seen where it is. */
function openFor(one, details) {
  const { setFault } = one;
  one.setFault = (message) => {
    if (message) details.open = true;
    setFault(message);
  };
}
