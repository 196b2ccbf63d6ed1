/** A button that copies a text, and says so. */

import { h, icon, setText } from "../dom.js";
import { announce } from "./announce.js";

const BACK_AFTER_MS = 2_000;

/**
 * @param {string} text
 * @param {string} what for the button's name: "Copy the token"
 * @param {() => void} [otherwise] called where the browser does not let us, e.g. on plain http
 */
export function copyButton(text, what, otherwise) {
  const word = h("span", {}, "Copy");
  return h(
    "button",
    {
      type: "button",
      class: "button small",
      "aria-label": `Copy ${what}`,
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(text);
          setText(word, "Copied");
          announce(`Copied ${what}.`);
        } catch {
          otherwise?.();
          setText(word, "Press Ctrl+C");
        }
        setTimeout(() => setText(word, "Copy"), BACK_AFTER_MS);
      },
    },
    icon("copy"),
    word,
  );
}
