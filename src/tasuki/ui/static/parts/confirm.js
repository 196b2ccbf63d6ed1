/** Asks before something that cannot be undone. */

import { freshId, h } from "../dom.js";

/**
 * @param {{title: string, text: any, yes: string, no: string, tone?: "danger"|"primary"}} words
 * @returns {Promise<boolean>} false as well when the question was closed
 */
export function confirm({ title, text, yes, no, tone = "danger" }) {
  return new Promise((resolve) => {
    const id = freshId("confirm");
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id }, title),
      h("p", {}, text),
      h(
        "div",
        { class: "actions end" },
        h("button", { class: "button", value: "no" }, no),
        h("button", { class: `button ${tone}`, value: "yes", autofocus: true }, yes),
      ),
    );
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
    const asked = document.activeElement;
    const closed = new AbortController();
    dialog.addEventListener("close", () => {
      closed.abort();
      dialog.remove();
      if (asked?.isConnected) asked.focus();
      resolve(dialog.returnValue === "yes");
    });
    // A view that is left takes its question with it.
    window.addEventListener("popstate", () => dialog.close("no"), { signal: closed.signal });
    document.body.append(dialog);
    dialog.showModal();
  });
}
