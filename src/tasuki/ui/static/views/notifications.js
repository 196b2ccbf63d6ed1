/** All that one was told: the newest first, older ones with a click. */

import { h, setText } from "../dom.js";
import { number } from "../format.js";
import { inbox, loadOlder, markAllRead, markRead, placeOf } from "../inbox.js";
import { announce } from "../parts/announce.js";
import { keyed } from "../parts/keyed.js";
import { empty, guarded } from "../parts/notice.js";
import { noteItem } from "../parts/note.js";

export function notificationsView({ signal }) {
  const fault = h("div", {});
  const list = h("ul", { class: "notes panel notes-page", "aria-label": "Notifications" });
  const unread = h("p", { class: "lead" });
  const loading = h("p", { class: "loading", role: "status" }, "Loading…");
  const nothing = empty(
    "Nothing yet",
    "When a task of yours or an admin tells you something, it stands here.",
  );
  const run = (work) => void guarded(fault, signal, work);
  const all = h(
    "button",
    { type: "button", class: "button", onclick: () => run(markAllRead) },
    "Mark all read",
  );
  const more = h(
    "button",
    { type: "button", class: "button", onclick: () => run(() => older()) },
    "Show more",
  );
  const showItems = keyed(list, {
    key: (note) => note.id,
    make: (note) => pageNote(note, (one) => run(() => markRead(one))),
  });

  async function older() {
    const before = inbox.get().items.length;
    more.setAttribute("aria-disabled", "true");
    try {
      await loadOlder(signal);
    } finally {
      more.removeAttribute("aria-disabled");
    }
    announce(`${inbox.get().items.length - before} more notifications.`);
  }

  inbox.watch((told) => {
    const items = told?.items ?? [];
    showItems(items);
    list.hidden = items.length === 0;
    if (told) loading.remove();
    nothing.hidden = told === null || items.length > 0;
    setText(unread, told?.unread ? `${number(told.unread)} unread` : "All read");
    unread.hidden = items.length === 0;
    all.hidden = !told?.unread;
    more.hidden = !told?.next;
  }, signal);

  const node = h(
    "div",
    { class: "view reading" },
    h("div", { class: "view-head" }, h("h1", { tabindex: "-1" }, "Notifications"), all),
    unread,
    fault,
    loading,
    nothing,
    list,
    h("div", { class: "actions middle" }, more),
  );
  return { title: "Notifications", node };
}

function pageNote(note, open) {
  let latest = note;
  const place = placeOf(note);
  const lead = place
    ? h(
        "a",
        { href: place, class: "button small", onclick: () => open(latest) },
        "Open the task",
      )
    : null;
  const read = h(
    "button",
    {
      type: "button",
      class: "button small quiet",
      "aria-label": `Mark ${note.title} as read`,
      onclick: () => open(latest),
    },
    "Mark read",
  );
  const item = noteItem(note, (words) => [
    h("div", { class: "note-words" }, words),
    h("div", { class: "actions" }, read, lead),
  ]);
  return {
    node: item.node,
    update(now) {
      latest = now;
      item.update(now);
      read.hidden = now.read;
    },
  };
}
