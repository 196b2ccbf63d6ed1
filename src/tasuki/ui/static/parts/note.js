/** A notification in words; the same in the bell's panel and on the page. */

import { h, setAttr, setText } from "../dom.js";
import { when } from "../format.js";

/**
 * An item of a list whose mark follows whether it was read.
 *
 * @param {import("../inbox.js").Note} note
 * @param {(words: any[]) => HTMLElement[]} around makes of its words what stands in the item
 */
export function noteItem(note, around) {
  const mark = h("span", { class: "visually-hidden" });
  const words = [
    h("span", { class: "note-title" }, mark, note.title),
    note.message && h("span", { class: "note-message" }, note.message),
    h(
      "span",
      { class: "fine note-about" },
      when(note.timestamp),
      note.broadcast && h("span", { class: "tag" }, "to everybody"),
    ),
  ];
  const node = h("li", { class: "note" }, around(words));
  return {
    node,
    update({ read }) {
      setAttr(node, "data-unread", !read);
      setText(mark, read ? "" : "Unread: ");
    },
  };
}

/** The number of unread ones beside what leads to them. */
export function setCount(node, unread) {
  setText(node, unread > 99 ? "99+" : unread || "");
  node.hidden = unread === 0;
}
