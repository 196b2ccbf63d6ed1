/**
 * HTML as a mail, in a frame that runs nothing and loads nothing.
 *
 * The frame of the mail stands in a page of ours (`preview.html`), whose policy it takes over: the
 * console's own would forbid the styles that mails have in them, and the mail's sandbox keeps it
 * from reaching anything, that page too.
 */

import { h } from "../dom.js";

const TYPING_MS = 300;

/**
 * @param {HTMLTextAreaElement} source what is shown, as it is typed
 * @param {AbortSignal} signal
 */
export function mailPreview(source, signal) {
  const frame = h("iframe", {
    class: "mail-preview",
    src: "/ui/preview.html",
    title: "How the mail looks",
  });
  let timer = 0;
  const show = () => {
    const inner = frame.contentDocument?.querySelector("iframe");
    if (inner && inner.srcdoc !== source.value) inner.srcdoc = source.value;
  };
  frame.addEventListener("load", show);
  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, TYPING_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return {
    node: h(
      "div",
      { class: "field" },
      h("p", { class: "label" }, "Preview"),
      frame,
      h("p", { class: "hint" }, "Pictures from elsewhere are not loaded here."),
    ),
  };
}
