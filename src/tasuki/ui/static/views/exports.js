/** Exports: rows as a file, at once or prepared as a task; and the downloads of the last hour. */

import { get } from "../api.js";
import { beginDownload, download } from "../download.js";
import { fill, h, setText } from "../dom.js";
import { prepare, prepared } from "../export_order.js";
import { field } from "../parts/form.js";
import { empty, guarded, notice } from "../parts/notice.js";
import { replaceQuery } from "../router.js";
import { downloadPanel } from "./export_download.js";
import { exportForm } from "./export_form.js";
import { exportRuns } from "./export_runs.js";
import { preparedPanel } from "./export_task.js";

export function exportsView({ query, signal }) {
  const place = h("div", {}, h("p", { class: "loading", role: "status" }, "Loading…"));
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Exports"),
    h("p", { class: "lead" }, "Rows as a file: for a spreadsheet, or for a program."),
    place,
  );
  void guarded(place, signal, async () => {
    const { items } = await get("/exports", { signal });
    if (items.length === 0) fill(place, empty("Nothing to export", "There is nothing for you."));
    else fill(place, desk(items, query.get("dataset"), signal));
  });
  return { title: "Exports", node };
}

function desk(datasets, wanted, signal) {
  return [
    h(
      "div",
      { class: "columns" },
      h("section", { class: "card", "aria-label": "What" }, chooser(datasets, wanted)),
      h(
        "div",
        { class: "export-ways" },
        shownFirst(downloadPanel(signal), download, signal),
        shownFirst(preparedPanel(signal), prepared, signal),
        ways(),
      ),
    ),
    exportRuns(signal),
  ];
}

/** The dataset, and below it the form that is made of it. */
function chooser(datasets, wanted) {
  const about = h("span", {});
  const choice = field({
    label: "Rows",
    name: "dataset",
    hint: about,
    control: h(
      "select",
      {},
      datasets.map(({ name }) => h("option", { value: name }, name)),
    ),
  });
  const place = h("div", {});

  function show() {
    const chosen = datasets.find(({ name }) => name === choice.input.value);
    const whose = chosen.rows_of === "own" ? "Only those that are yours." : "";
    setText(about, [chosen.about, whose].filter(Boolean).join(" "));
    fill(place, exportForm(chosen, { download: beginDownload, prepare }));
  }

  choice.input.addEventListener("change", () => {
    show();
    fill(unknown);
    replaceQuery(new URLSearchParams({ dataset: choice.input.value }));
  });
  const isThere = !wanted || datasets.some(({ name }) => name === wanted);
  const unknown = h("div", {}, isThere ? null : nothingLike(wanted));
  if (wanted && isThere) choice.input.value = wanted;
  show();
  return [unknown, choice.node, place];
}

function nothingLike(name) {
  return notice(
    "bad",
    h("strong", {}, "Not for you"),
    h("p", {}, "There are no rows ", h("code", {}, name), " that you may export."),
  );
}

/** Bring into view what was begun far below. */
function shownFirst(panel, store, signal) {
  let before = store.get();
  store.watch((now) => {
    if (now && (!before || now.phase === "asking")) panel.scrollIntoView({ block: "nearest" });
    before = now;
  }, signal);
  return panel;
}

function ways() {
  const rows = [
    [
      "Download",
      "Begins at once and comes into this page. It is checked before it is saved; what breaks " +
        "off is never saved.",
    ],
    [
      "Task",
      "For what takes long or is large: it goes on without you, and its file stays for a week.",
    ],
  ];
  return h(
    "section",
    { class: "panel", "aria-label": "Two ways" },
    h("h2", {}, "Two ways"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
    ),
  );
}
