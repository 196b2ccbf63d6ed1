/** Where one is signed in; the others can be ended. */

import { get, remove } from "../api.js";
import { fill, h } from "../dom.js";
import { when } from "../format.js";
import { announce } from "../parts/announce.js";
import { guarded } from "../parts/notice.js";
import { browserOf } from "../words.js";

export function sessionsPanel(signal) {
  const list = h("ul", { class: "things" });
  const fault = h("div", {});
  const heading = h("h2", { tabindex: "-1" }, "Signed in");
  const node = h(
    "section",
    { class: "panel", "aria-label": "Sessions" },
    heading,
    h("p", { class: "fine" }, "Browsers that are signed in as you. End those you do not know."),
    fault,
    list,
  );

  async function load() {
    await guarded(fault, signal, async () => {
      const { items } = await get("/auth/sessions", { signal });
      fill(
        list,
        items.map((one) => line(one)),
      );
    });
  }

  function line(one) {
    const what = browserOf(one.user_agent);
    const end = h(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": `End the session of ${what}`,
        onclick: () => void stop(one, what),
      },
      "End",
    );
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("strong", { title: one.user_agent }, what),
        h(
          "span",
          { class: "fine" },
          one.address ? `${one.address} · ` : "",
          "last seen ",
          when(one.last_seen_at),
        ),
      ),
      one.current ? h("span", { class: "tag" }, "this one") : end,
    );
  }

  async function stop(one, what) {
    await guarded(fault, signal, async () => {
      await remove(`/auth/sessions/${one.id}`, { signal });
      announce(`The session of ${what} is ended.`);
      await load();
      heading.focus();
    });
  }

  void load();
  return { node, load };
}
