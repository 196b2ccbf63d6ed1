/** What is to be exported of one dataset, and in which form. */

import { breakable, h, setAttr, setText } from "../dom.js";
import { field, form } from "../parts/form.js";
import { mailMe } from "../parts/mail_me.js";
import { exportFilters } from "./export_filters.js";

const FORMS = [
  ["excel", "csv", "CSV for Excel", "For spreadsheets; no cell acts as a formula, times are UTC."],
  ["data", "csv", "CSV", "For programs; nothing is changed."],
  ["data", "json", "JSON", "One array of objects."],
  ["data", "ndjson", "NDJSON", "One object a line."],
];

/**
 * @param {any} dataset as the API tells of it
 * @param {{download: (order: any) => Promise<void>, prepare: (order: any) => Promise<void>}} does
 */
export function exportForm(dataset, { download, prepare }) {
  const columns = columnsField(dataset);
  const filters = exportFilters(dataset);
  const sort = sortField(dataset);
  const limit = field({
    label: "At most (rows)",
    name: "limit",
    type: "number",
    min: 1,
    step: 1,
    inputmode: "numeric",
    placeholder: "all",
  });
  const filename = field({
    label: "File name",
    name: "filename",
    maxlength: 150,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: dataset.name,
  });
  const kind = formField();
  const told = mailMe("Mail me when it is prepared as a task");

  function order() {
    const [profile, format] = kind.chosen();
    return {
      dataset: dataset.name,
      format,
      profile,
      columns: columns.chosen(),
      sort: sort?.input.value ? [sort.input.value] : [],
      filters: filters.wanted(),
      limit: limit.input.value ? Number(limit.input.value) : null,
      filename: filename.input.value.trim() || null,
      mail_me: told?.input.checked ?? false,
    };
  }

  const { node, rename } = form({
    label: `Export ${dataset.name}`,
    fields: [columns, ...filters.fields, sort, limit, filename, told].filter(Boolean),
    content: [
      columns.node,
      filters.fields.length > 0 && filters.node,
      h("div", { class: "export-fields" }, sort?.node, limit.node, filename.node),
      kind.node,
      told?.node,
    ],
    action: kind.action(),
    busy: "Asking…",
    submit: () => download(order()),
    also: { action: "Prepare as a task", busy: "Ordering…", submit: () => prepare(order()) },
  });
  kind.node.addEventListener("change", () => rename(kind.action()));
  return node;
}

/** Checkboxes; at least one is to be chosen. */
function columnsField({ columns, columns_first: usual }) {
  const boxes = columns.map(({ name }) =>
    h("input", { type: "checkbox", name: "columns", value: name, checked: usual.includes(name) }),
  );
  const fault = h("p", { class: "fault" });
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const check = () => {
    boxes[0].setCustomValidity(chosen().length ? "" : "Choose at least one column.");
    setText(fault, "");
  };
  const choose = (word, isChosen) =>
    h(
      "button",
      {
        type: "button",
        class: "button small",
        onclick: () => {
          for (const box of boxes) box.checked = isChosen(box.value);
          check();
        },
      },
      word,
    );
  const node = h(
    "fieldset",
    { class: "export-columns", onchange: check },
    h("legend", {}, "Columns"),
    h(
      "div",
      { class: "export-boxes" },
      columns.map(({ name, kind }, index) =>
        h("label", { title: kind }, boxes[index], h("span", {}, breakable(name))),
      ),
    ),
    h(
      "div",
      { class: "choices" },
      choose("All", () => true),
      usual.length < columns.length && choose("The usual", (name) => usual.includes(name)),
    ),
    fault,
  );
  const setFault = (message) => {
    setText(fault, message);
    setAttr(node, "data-invalid", Boolean(message));
  };
  return { name: "columns", input: boxes[0], setFault, node, chosen };
}

function sortField({ sort }) {
  if (sort.length === 0) return null;
  const choices = sort.flatMap((name) => [
    [name, `${name}, ascending`],
    [`-${name}`, `${name}, descending`],
  ]);
  const control = h(
    "select",
    {},
    choices.map(([value, words]) => h("option", { value }, words)),
  );
  return field({ label: "Order", name: "sort", control });
}

function formField() {
  const radios = FORMS.map((_, index) =>
    h("input", { type: "radio", name: "form", value: index, checked: index === 0 }),
  );
  const node = h(
    "fieldset",
    { class: "export-forms" },
    h("legend", {}, "Format"),
    FORMS.map(([, , words, about], index) =>
      h(
        "label",
        {},
        radios[index],
        h("span", {}, h("strong", {}, words), h("span", { class: "fine" }, about)),
      ),
    ),
  );
  const chosen = () => FORMS[radios.findIndex((radio) => radio.checked)];
  return { node, chosen, action: () => `Download ${chosen()[2]}` };
}
