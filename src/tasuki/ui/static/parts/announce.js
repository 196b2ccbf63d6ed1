/** Says something to screen readers, politely and once. */

import { setText } from "../dom.js";

export function announce(text) {
  setText(document.getElementById("announcer"), text);
}
