/** The list of mails: what became of each, without a reload. */

import { connection } from "../connection.js";
import { h, icon } from "../dom.js";
import { throttled } from "../live.js";
import { listen } from "../live_stream.js";
import { MAIL_STATES, MAY_SEND_TO_MANY, mayUse } from "../mail_words.js";
import { field } from "../parts/form.js";
import { grid } from "../parts/grid.js";
import { empty } from "../parts/notice.js";
import { paged } from "../parts/paged.js";
import { replaceQuery } from "../router.js";
import { isAdmin } from "../session.js";
import { mailRow } from "./mail_row.js";

const NEWS_MS = 1_000;
const TOLD_MS = 60_000; // what the stream tells; it may be lost with a process
const IDLE_MS = 5_000; // mails of others come without an event, and ours if the stream is away

export function mailsView({ query, signal }) {
  const withOwner = isAdmin();
  const title = withOwner ? "Mail of everybody" : "My mail";
  const filters = mailFilters(query, () => list.restart());
  const columns = ["Mail", "State", "Mail system", withOwner && "Owner", "Ordered"];
  const { node: table, body } = grid("Mails", columns.filter(Boolean));
  const list = paged({
    path: "/mail/messages",
    wanted: filters.wanted,
    table,
    body,
    make: (mail) => mailRow(mail, { withOwner }),
    none: () => nothing(filters),
    every_ms: () => (!withOwner && connection.get() === "live" ? TOLD_MS : IDLE_MS),
    signal,
  });
  const news = throttled(list.refresh, NEWS_MS, signal);
  listen({ on: { tasks: news }, opened: news }, signal);
  const node = h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", { tabindex: "-1" }, title), ways()),
    filters.node,
    list.node,
    meanings(),
  );
  return { title, node };
}

function meanings() {
  return h(
    "details",
    { class: "meanings" },
    h("summary", {}, "What the states mean"),
    h(
      "dl",
      { class: "facts" },
      Object.values(MAIL_STATES).map(([word, , , meaning]) =>
        h("div", {}, h("dt", {}, word), h("dd", {}, meaning)),
      ),
    ),
  );
}

function ways() {
  return h(
    "div",
    { class: "actions" },
    mayUse(MAY_SEND_TO_MANY) &&
      h("a", { href: "/mail/sendings", class: "button" }, icon("stack"), "To many"),
    h("a", { href: "/mail/new", class: "button primary" }, icon("letter"), "Write a mail"),
  );
}

function nothing(filters) {
  if (filters.isAny()) {
    return empty("No mail matches", "Mails that come to match appear here by themselves.");
  }
  const write = h("a", { href: "/mail/new", class: "button" }, "Write a mail");
  return empty(
    "No mail yet",
    "Each mail stands here with what the mail system said. Those to many have their own page.",
    write,
  );
}

function mailFilters(query, changed) {
  const state = stateField();
  state.input.value = query.get("state") ?? "";
  if (state.input.selectedIndex < 0) state.input.value = "";
  const many = h("input", { type: "checkbox", id: "of-many", checked: query.has("many") });
  const given = () => (state.input.value ? { state: state.input.value } : {});
  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter the mails",
      onsubmit: (event) => event.preventDefault(),
      onchange: () => {
        replaceQuery(new URLSearchParams({ ...given(), ...(many.checked ? { many: 1 } : {}) }));
        changed();
      },
    },
    state.node,
    h("p", { class: "check" }, many, h("label", { for: "of-many" }, "Also mails to many")),
  );
  return {
    node,
    wanted: () => ({ ...given(), ...(many.checked ? {} : { single: "true" }) }),
    isAny: () => Boolean(state.input.value),
  };
}

/** A choice of a state of mails. */
export function stateField() {
  const options = Object.entries(MAIL_STATES).map(([state, [word]]) =>
    h("option", { value: state }, word),
  );
  return field({
    label: "State",
    name: "state",
    control: h("select", {}, h("option", { value: "" }, "Any"), options),
  });
}
