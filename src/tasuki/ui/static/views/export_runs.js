/** One's downloads of the last hour, whole or broken, and the files that can be fetched again. */

import { exportHref, get } from "../api.js";
import { download } from "../download.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { number, setWhen, size, when } from "../format.js";
import { cell, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { polled } from "../parts/polled.js";
import { formOf } from "../words.js";

const EVERY_MS = 5_000;
const SHOWN = 10;
const STATES = {
  running: ["Running", "run", "run"],
  complete: ["Whole", "ok", "check"],
  failed: ["Broken off", "bad", "cross"],
};

/** @param {AbortSignal} signal */
export function exportRuns(signal) {
  const { node: table, body } = grid("Recent downloads", [
    "Download",
    "State",
    "Rows",
    "Size",
    "Begun",
    "File",
  ]);
  const none = h("p", { class: "fine" }, "None yet. Files are kept for a while after a download.");
  const show = keyed(body, { key: (run) => run.id, make: runRow });
  for (const one of [table, none]) one.hidden = true;
  const state = polled({
    signal,
    every_ms: EVERY_MS,
    load: () => get(`/exports/runs?limit=${SHOWN}`, { signal }),
    show: ({ items }) => {
      show(items);
      table.hidden = items.length === 0;
      none.hidden = items.length > 0;
    },
  });
  let phase;
  download.watch((shown) => {
    if (shown?.phase !== phase) state.refresh();
    phase = shown?.phase;
  }, signal);
  return h(
    "section",
    { class: "export-runs", "aria-label": "Recent downloads" },
    h("h2", {}, "Recent downloads"),
    state.node,
    none,
    table,
    h(
      "p",
      { class: "fine" },
      "What was prepared as a task is among the ",
      h("a", { href: "/tasks?name=exports.run" }, "tasks"),
      ", with its file.",
    ),
  );
}

function runRow(run) {
  const state = h("span", { class: "badge" });
  const [rows, bytes] = [h("span", {}), h("span", {})];
  const begun = when(run.created_at);
  const file = h("div", { class: "held" });
  const error = h("span", { class: "fine why" });
  const node = h(
    "tr",
    { role: "row" },
    cell(
      "",
      h("strong", {}, run.dataset),
      h("span", { class: "fine" }, formOf(run.format, run.profile)),
    ),
    cell("State", state, error),
    cell("Rows", rows),
    cell("Size", bytes),
    cell("Begun", begun),
    cell("File", file),
  );

  function update(now) {
    const [word, tone, picture] = STATES[now.state];
    if (state.textContent !== word) fill(state, icon(picture), word);
    setAttr(state, "data-tone", tone);
    setText(error, now.error ?? "");
    // How far one that broke off had come is told only now and then.
    const isKnown = now.state !== "failed";
    setText(rows, isKnown ? number(now.rows) : "–");
    setText(bytes, isKnown ? sizeOf(now) : "–");
    setWhen(begun, now.created_at);
    if (now.state === "complete" && !file.firstChild) fill(file, linkTo(now));
    if (now.state === "failed") setText(file, "–");
  }

  return { node, update };
}

function sizeOf({ bytes, encoding }) {
  return size(bytes) + (encoding === "identity" ? "" : `, ${encoding}`);
}

function linkTo(run) {
  const name = `${run.dataset}.${run.format}`;
  return [
    h(
      "a",
      { class: "file-link", href: exportHref(run.id), download: true },
      icon("download"),
      h("span", { class: "file-name" }, name),
    ),
    h("span", { class: "fine" }, "expires ", when(run.expires_at)),
  ];
}
