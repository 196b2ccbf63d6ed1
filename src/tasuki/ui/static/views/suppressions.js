/** Addresses that are written to no more. For admins. */

import { call, post } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { when } from "../format.js";
import { REASONS } from "../mail_words.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { field, form } from "../parts/form.js";
import { cell, grid } from "../parts/grid.js";
import { empty, guarded, notice } from "../parts/notice.js";
import { paged } from "../parts/paged.js";
import { replaceQuery } from "../router.js";

const PATH = "/mail/suppressions";
const TYPING_MS = 300;
const EVERY_MS = 10_000;

export function suppressionsView({ query, signal }) {
  const said = h("div", { class: "notices", role: "status" });
  const filters = search(query, () => list.restart(), signal);
  const { node: table, body } = grid("Suppressed addresses", ["Address", "Why", "Since", ""]);
  const removed = (address) => {
    fill(said, notice("ok", h("span", {}, h("strong", {}, address), " is written to again.")));
    list.refresh();
  };
  const list = paged({
    path: PATH,
    wanted: filters.wanted,
    table,
    body,
    key: (one) => one.address,
    make: (one) => suppressionRow(one, { said, signal, removed }),
    none: () =>
      filters.isAny()
        ? empty("No address begins so", "Try a shorter beginning.")
        : empty("Everybody is written to", "Who unsubscribes, or does not exist, appears here."),
    every_ms: () => EVERY_MS,
    signal,
  });
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Suppressions"),
    h("p", { class: "lead" }, "Addresses that are written to no more, whoever asks."),
    h(
      "div",
      { class: "suppressions" },
      h("section", { class: "card", "aria-label": "Suppress an address" }, adding(said, list, signal)),
      h("div", {}, filters.node, said, list.node, meanings()),
    ),
  );
  return { title: "Suppressions", node };
}

function search(query, changed, signal) {
  const start = field({
    label: "Begins with",
    name: "starts_with",
    type: "search",
    value: query.get("starts_with") ?? "",
    maxlength: 320,
    autocomplete: "off",
    spellcheck: "false",
  });
  const given = () => start.input.value.trim();
  const wanted = () => (given() ? { starts_with: given() } : {});
  let timer = 0;
  const apply = () => {
    clearTimeout(timer);
    if (signal.aborted) return;
    replaceQuery(new URLSearchParams(wanted()));
    changed();
  };
  start.input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Find an address",
      onsubmit: (event) => {
        event.preventDefault();
        apply();
      },
    },
    start.node,
  );
  return { node, wanted, isAny: () => Boolean(given()) };
}

function adding(said, list, signal) {
  const address = field({
    label: "Address",
    name: "address",
    required: true,
    maxlength: 320,
    autocomplete: "off",
    spellcheck: "false",
  });
  const detail = field({
    label: "Why (optional)",
    name: "detail",
    maxlength: 500,
    autocomplete: "off",
  });
  return form({
    label: "Suppress an address",
    fields: [address, detail],
    action: "Write to it no more",
    busy: "Adding…",
    submit: async () => {
      const given = { address: address.input.value.trim(), detail: detail.input.value.trim() };
      const added = await post(PATH, given, { signal });
      for (const one of [address, detail]) one.input.value = "";
      fill(
        said,
        notice("ok", h("span", {}, h("strong", {}, added.address), " is written to no more.")),
      );
      announce(`${added.address} is written to no more.`);
      list.refresh();
      address.input.focus();
    },
  }).node;
}

function suppressionRow(one, { said, signal, removed }) {
  const why = h("span", {});
  const detail = h("span", { class: "fine why" });
  const drop = h(
    "button",
    {
      type: "button",
      class: "button small danger-quiet",
      "aria-label": `Write to ${one.address} again`,
      onclick: () => void guarded(said, signal, remove),
    },
    "Remove",
  );

  async function remove() {
    const isSure = await confirm({
      title: "Write to this address again?",
      text: [h("strong", {}, one.address), " gets mail again, sendings too."],
      yes: "Write to it again",
      no: "Leave it",
    });
    if (!isSure) return;
    await call("DELETE", `${PATH}/${encodeURIComponent(one.address)}`, { signal });
    removed(one.address);
  }

  function update(now) {
    setText(why, REASONS[now.reason]?.[0] ?? now.reason);
    setText(detail, now.detail);
  }

  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, one.address)),
    cell("Why", why, detail),
    cell("Since", when(one.created_at)),
    cell("", drop),
  );
  return { node, update };
}

function meanings() {
  return h(
    "details",
    { class: "meanings" },
    h("summary", {}, "What the reasons mean"),
    h(
      "dl",
      { class: "facts" },
      Object.values(REASONS).map(([word, meaning]) =>
        h("div", {}, h("dt", {}, word), h("dd", {}, meaning)),
      ),
    ),
  );
}
