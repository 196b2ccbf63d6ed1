/** The mails that were caught instead of delivered: the list, and one of them. For admins. */

import { caughtFrameHref, caughtRawHref, get, remove } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { number, setWhen, size, when } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { field } from "../parts/form.js";
import { cell, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { empty, guarded, notice } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { replaceQuery } from "../router.js";

const EVERY_MS = 2_000; // whoever tries a mail waits for it
const TYPING_MS = 300;
const PAGE = 50;
const MOST = 200; // as many as the API gives at once

export function caughtMailsView({ query, signal }) {
  let limit = PAGE;
  const { node: table, body } = grid("Caught mails", ["Subject", "To", "Size", "Came"]);
  const showRows = keyed(body, { key: (mail) => mail.id, make: mailRow });
  const none = h("div", {});
  const fault = h("div", {});
  const clearing = h(
    "button",
    { type: "button", class: "button danger-quiet", onclick: () => void clear() },
    "Delete all",
  );
  const more = h("button", { type: "button", class: "button", onclick: older }, "Show more");
  const recipient = recipientFilter(query, () => refresh(), signal);
  for (const part of [table, clearing, more]) part.hidden = true;

  const { node: state, refresh } = polled({
    signal,
    every_ms: EVERY_MS,
    load: () => {
      const wanted = new URLSearchParams({ limit, recipient: recipient.value() });
      return get(`/mail/caught?${wanted}`, { signal });
    },
    show({ items, next }) {
      showRows(items);
      const isEmpty = items.length === 0;
      table.hidden = isEmpty;
      clearing.hidden = isEmpty;
      more.hidden = !next || limit >= MOST;
      const wanted = recipient.value();
      if (isEmpty && none.firstChild && none.dataset.key === wanted) return;
      none.dataset.key = wanted;
      fill(none, isEmpty ? (wanted ? NO_MATCH() : NO_MAIL()) : null);
    },
  });

  function older() {
    limit = MOST;
    refresh();
  }

  function clear() {
    return guarded(fault, signal, async () => {
      if (!(await mayClear())) return;
      await remove("/mail/caught", { signal });
      announce("All mails are deleted.");
      refresh();
    });
  }

  const node = h(
    "div",
    { class: "view stack" },
    h("div", { class: "view-head" }, h("h1", { tabindex: "-1" }, "Caught mails"), clearing),
    undelivered(),
    recipient.node,
    fault,
    state,
    table,
    none,
    h("div", { class: "actions middle" }, more),
  );
  return { title: "Caught mails", node };
}

export function caughtMailView({ params, signal }) {
  const place = h("div", {}, h("p", { class: "loading", role: "status" }, "Loading…"));
  const node = h(
    "div",
    { class: "view stack" },
    h("a", { href: "/mail/inbox", class: "back" }, icon("back"), "Caught mails"),
    place,
  );
  void guarded(place, signal, async () => {
    const mail = await get(`/mail/caught/${encodeURIComponent(params.id)}`, { signal });
    fill(place, letter(mail));
  });
  return { title: "A caught mail", node };
}

const undelivered = () =>
  notice("info", "These mails were not delivered: no mail system is set up.");
const NO_MAIL = () => empty("No mail yet", "Every mail that is sent here appears by itself.");
const NO_MATCH = () => empty("No mail to such an address", "What comes to match appears by itself.");

function mayClear() {
  return confirm({
    title: "Delete all caught mails?",
    text: "They were delivered to nobody, and cannot be brought back.",
    yes: "Delete all",
    no: "Keep them",
  });
}

function recipientFilter(query, changed, signal) {
  const one = field({
    label: "To",
    name: "recipient",
    type: "search",
    maxlength: 320,
    placeholder: "a part of an address",
    autocomplete: "off",
    spellcheck: "false",
  });
  one.input.value = query.get("recipient") ?? "";
  const value = () => one.input.value.trim();
  let timer = 0;

  function apply() {
    clearTimeout(timer);
    if (signal.aborted) return;
    replaceQuery(new URLSearchParams(value() ? { recipient: value() } : {}));
    changed();
  }

  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter the mails",
      onsubmit: (event) => (event.preventDefault(), apply()),
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(apply, TYPING_MS);
      },
    },
    one.node,
  );
  return { node, value };
}

function mailRow(mail) {
  const came = when(mail.received_at);
  const link = h("a", { href: `/mail/inbox/${mail.id}` }, mail.subject || "(no subject)");
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, link), h("span", { class: "fine" }, mail.sender)),
    cell("To", recipients(mail.recipients)),
    cell("Size", size(mail.size_bytes)),
    cell("Came", came),
  );
  return { node, update: (now) => setWhen(came, now.received_at) };
}

function recipients([first, ...others]) {
  return others.length ? `${first} and ${number(others.length)} more` : (first ?? "nobody");
}

function letter(mail) {
  const raw = h(
    "a",
    { href: caughtRawHref(mail.id), class: "button", download: true },
    icon("download"),
    `As it came (${size(mail.size_bytes)})`,
  );
  return h(
    "article",
    { class: "stack" },
    h("h1", { tabindex: "-1" }, mail.subject || "(no subject)"),
    undelivered(),
    h(
      "dl",
      { class: "facts panel" },
      fact("From", mail.sender),
      fact("To", mail.recipients.join(", ")),
      fact("Came", when(mail.received_at)),
      mail.attachments.length ? fact("Files", mail.attachments.map(fileOf).join(", ")) : null,
    ),
    mail.html === null ? null : section("HTML", frame(mail.id)),
    mail.text === null ? null : section("Text", h("pre", { class: "mail-text" }, mail.text)),
    headers(mail.headers),
    h("p", { class: "actions" }, raw),
  );
}

const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
const fileOf = (file) => `${file.name || file.media_type} (${size(file.size_bytes)})`;

function section(title, content) {
  return h("section", { class: "stack", "aria-label": title }, h("h2", {}, title), content);
}

/** What a stranger wrote, in a place that runs nothing, fetches nothing and is not our origin. */
function frame(id) {
  return h("iframe", {
    class: "mail-frame",
    title: "The mail as HTML",
    sandbox: "allow-popups allow-popups-to-escape-sandbox",
    referrerpolicy: "no-referrer",
    src: caughtFrameHref(id),
  });
}

function headers(all) {
  return h(
    "details",
    { class: "panel" },
    h("summary", {}, `Headers (${number(all.length)})`),
    h(
      "dl",
      { class: "facts mail-headers" },
      all.map(({ name, value }) => fact(name, value)),
    ),
  );
}
