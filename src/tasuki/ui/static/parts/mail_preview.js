/**
 * HTML as a mail, in a frame that runs nothing and loads nothing.
 *
 * The frame of the mail stands in a page of ours (`preview.html`), whose policy it takes over: the
 * console's own would forbid the styles that mails have in them, and the mail's sandbox keeps it
 * from reaching anything, that page too.
 */

import { h } from "../dom.js";

const TYPING_MS = 300;

export function mailPreview() {
  let shown = "";
  const frame = h("iframe", {
    class: "mail-preview",
    src: "/ui/preview.html",
    title: "How the mail looks",
  });
  const show = (html) => {
    shown = html;
    const inner = frame.contentDocument?.querySelector("iframe");
    if (inner && inner.srcdoc !== shown) inner.srcdoc = shown;
  };
  frame.addEventListener("load", () => show(shown));
  const node = h(
    "div",
    { class: "field" },
    h("p", { class: "label" }, "Preview"),
    frame,
    h("p", { class: "hint" }, "Pictures from elsewhere are not loaded here."),
  );
  return { node, show };
}

/**
 * Call once somebody has stopped typing for a moment.
 *
 * @param {HTMLElement[]} inputs
 * @param {AbortSignal} signal
 * @param {() => void} call
 */
export function whenTyped(inputs, signal, call) {
  let timer = 0;
  for (const input of inputs) {
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(call, TYPING_MS);
    });
  }
  signal.addEventListener("abort", () => clearTimeout(timer));
}
