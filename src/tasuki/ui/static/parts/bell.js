/** The bell: how many notifications are unread, and the newest of them in a panel. */

import { freshId, h, icon, setAttr, setText } from "../dom.js";
import { inbox, markAllRead, markRead, placeOf } from "../inbox.js";
import { keyed } from "./keyed.js";
import { guarded } from "./notice.js";
import { noteItem, setCount } from "./note.js";

const SHOWN = 12;

/** @param {AbortSignal} signal aborted when the bell is taken away */
export function bell(signal) {
  const id = freshId("inbox");
  const count = h("span", { class: "bell-count", "aria-hidden": "true", hidden: true });
  const button = h(
    "button",
    { type: "button", class: "bell", popovertarget: id, "aria-haspopup": "dialog" },
    icon("bell"),
    h("span", { class: "bell-word" }, "Notifications"),
    count,
  );
  const panel = inboxPanel(id, signal);

  inbox.watch((told) => {
    const unread = told?.unread ?? 0;
    setCount(count, unread);
    setAttr(button, "aria-label", unread ? `Notifications, ${unread} unread` : "Notifications");
    panel.show(told);
  }, signal);

  return {
    node: h("div", { class: "bell-place" }, button, panel.node),
    /** Another page is shown. */
    at(path) {
      panel.node.hidePopover();
      setAttr(button, "aria-current", path === "/notifications" ? "page" : null);
    },
  };
}

function inboxPanel(id, signal) {
  const fault = h("div", { class: "inbox-fault" });
  const list = h("ul", { class: "notes" });
  const nothing = h("p", { class: "fine inbox-empty" }, "Loading…");
  const all = h(
    "button",
    {
      type: "button",
      class: "button small",
      onclick: () => void guarded(fault, signal, markAllRead),
    },
    "Mark all read",
  );
  const open = (note) => void guarded(fault, signal, () => markRead(note));
  const showItems = keyed(list, { key: (note) => note.id, make: (note) => panelNote(note, open) });
  const node = h(
    "section",
    { id, class: "inbox-panel", popover: "auto", role: "dialog", "aria-label": "Notifications" },
    h("div", { class: "inbox-head" }, h("h2", {}, "Notifications"), all),
    fault,
    list,
    nothing,
    h("p", { class: "inbox-end" }, h("a", { href: "/notifications" }, "All notifications")),
  );
  return {
    node,
    show(told) {
      const items = told?.items ?? [];
      showItems(items.slice(0, SHOWN));
      if (told) setText(nothing, "Nothing yet. What your tasks or an admin tell you stands here.");
      nothing.hidden = items.length > 0;
      all.hidden = !told?.unread;
    },
  };
}

/** Opening it is reading it: what leads somewhere is a link, the rest unfolds. */
function panelNote(note, open) {
  let latest = note;
  const place = placeOf(note);
  const item = noteItem(note, (words) => {
    const attributes = { class: "note-open", onclick: () => open(latest) };
    return place
      ? h("a", { ...attributes, href: place }, words)
      : unfolding(h("button", { ...attributes, type: "button" }, words));
  });
  return {
    node: item.node,
    update(now) {
      latest = now;
      item.update(now);
    },
  };
}

function unfolding(button) {
  const unfold = (isOpen) => setAttr(button, "aria-expanded", String(isOpen));
  button.addEventListener("click", () => {
    unfold(button.getAttribute("aria-expanded") !== "true");
  });
  unfold(false);
  return button;
}
