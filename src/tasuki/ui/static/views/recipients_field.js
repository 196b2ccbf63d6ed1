/** Who a sending goes to: a list that is pasted, or read from a file in the browser. */

import { linesOf, tableOf } from "../addresses.js";
import { fill, h, setText } from "../dom.js";
import { number } from "../format.js";
import { field } from "../parts/form.js";

/** A list of one address a line, and where it may come from. */
export function recipientsField() {
  const count = h("span", { role: "status" });
  const source = h("div", { class: "recipients-source" });
  const list = field({
    label: "Addresses, one a line",
    name: "email_list",
    control: h("textarea", {
      rows: 9,
      required: true,
      spellcheck: "false",
      autocomplete: "off",
      class: "code",
    }),
    beside: source,
    hint: count,
  });
  const file = fileField((table, name) => fill(columns, columnChoice(table, name, take)));
  const columns = h("div", {});
  fill(source, file, columns);

  function take(emails) {
    list.input.value = emails.join("\n");
    list.input.dispatchEvent(new Event("input"));
  }

  const show = () => setText(count, countOf(linesOf(list.input.value).length));
  list.input.addEventListener("input", show);
  show();
  return { ...list, lines: () => linesOf(list.input.value) };
}

export const countOf = (count) => (count === 1 ? "1 address" : `${number(count)} addresses`);

function fileField(read) {
  const input = h("input", {
    type: "file",
    class: "visually-hidden",
    accept: ".csv,.tsv,.txt,text/csv,text/plain",
    onchange: async () => {
      const [file] = input.files;
      if (file) read(tableOf(await file.text()), file.name);
      input.value = ""; // the same file may be chosen again, once it was mended
    },
  });
  return h("label", { class: "button small file-button" }, input, "Load from a file…");
}

/** Which column has the addresses; the likely one is taken at once. */
function columnChoice({ names, rows, likely }, file, take) {
  const use = (index) => take(rows.map((row) => row[index]?.trim() ?? "").filter(Boolean));
  use(likely);
  if (names.length < 2) return h("p", { class: "hint" }, `From ${file}.`);
  const choice = field({
    label: `Column of ${file}`,
    name: "column",
    control: h(
      "select",
      { onchange: () => use(Number(choice.input.value)) },
      names.map((name, index) => h("option", { value: index }, name)),
    ),
  });
  choice.input.value = String(likely);
  return choice.node;
}
