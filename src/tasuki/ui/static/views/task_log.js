/** What a task writes while it runs. Follows the end, unless the reader looks at earlier lines. */

import { h } from "../dom.js";
import { clock, exact } from "../format.js";

const MOST = 1_000; // lines; older ones go
const NEAR_END_PX = 24;

export function logPanel() {
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": "Log lines" });
  const none = h("p", { class: "fine" }, "It has not written any lines.");
  const cut = h("p", { class: "fine" }, "Earlier lines are left out.");
  cut.hidden = true;
  list.hidden = true;
  const node = h(
    "section",
    { class: "panel", "aria-label": "Log" },
    h("h2", {}, "Log"),
    cut,
    none,
    list,
  );

  return {
    node,
    /** @param {import("../sse.js").TaskEvent[]} events */
    hear(events, isCut) {
      const lines = events.filter((event) => event.type === "log").slice(-MOST);
      if (isCut) cut.hidden = false;
      if (lines.length === 0) return;
      none.hidden = true;
      list.hidden = false;
      const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
      list.append(...lines.map(line));
      while (list.childElementCount > MOST) {
        list.firstChild.remove();
        cut.hidden = false;
      }
      if (isAtEnd) list.scrollTop = list.scrollHeight;
    },
  };
}

function line({ at, data }) {
  const { level, message } = data;
  return h(
    "li",
    { "data-level": level },
    h("time", { datetime: at, title: exact(at) }, clock(at)),
    h("span", { class: "level" }, level),
    h("span", { class: "log-message" }, message),
  );
}
