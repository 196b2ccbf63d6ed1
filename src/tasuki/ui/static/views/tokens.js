/** API tokens: made, shown once, deleted. */

import { get, post, remove } from "../api.js";
import { fill, h } from "../dom.js";
import { when } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { copyButton } from "../parts/copy.js";
import { field, form } from "../parts/form.js";
import { guarded, notice } from "../parts/notice.js";

export function tokensPanel(signal) {
  const list = h("ul", { class: "things" });
  const fault = h("div", {});
  const fresh = h("div", {});
  const heading = h("h2", { tabindex: "-1" }, "API tokens");
  const name = field({
    label: "New token for",
    name: "name",
    required: true,
    maxlength: 200,
    autocomplete: "off",
    placeholder: "e.g. nightly script",
  });
  const { node: formNode } = form({
    label: "Create a token",
    className: "in-line",
    fields: [name],
    action: "Create",
    busy: "Creating…",
    submit: async () => {
      const made = await post("/auth/tokens", { name: name.input.value.trim() }, { signal });
      name.input.value = "";
      showOnce(fresh, made);
      await load();
    },
  });

  async function load() {
    await guarded(fault, signal, async () => {
      const { items } = await get("/auth/tokens", { signal });
      fill(
        list,
        items.map((one) => line(one)),
      );
      list.hidden = items.length === 0;
    });
  }

  function line(one) {
    const used = one.last_used_at ? ["last used ", when(one.last_used_at)] : "never used";
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("strong", {}, one.name),
        h("span", { class: "fine" }, "made ", when(one.created_at), " · ", used),
      ),
      h(
        "button",
        {
          type: "button",
          class: "button small danger-quiet",
          "aria-label": `Delete the token ${one.name}`,
          onclick: () => void drop(one),
        },
        "Delete",
      ),
    );
  }

  async function drop(one) {
    const isSure = await confirm({
      title: "Delete this token?",
      text: `Programs that use “${one.name}” are refused from now on.`,
      yes: "Delete the token",
      no: "Keep it",
    });
    if (!isSure) return;
    await guarded(fault, signal, async () => {
      await remove(`/auth/tokens/${one.id}`, { signal });
      fill(fresh);
      announce(`The token ${one.name} is deleted.`);
      await load();
      heading.focus();
    });
  }

  void load();
  return h(
    "section",
    { class: "panel", "aria-label": "API tokens" },
    heading,
    h(
      "p",
      { class: "fine" },
      "They let programs act as you: ",
      h("code", {}, "Authorization: Bearer tsk_…"),
    ),
    formNode,
    fresh,
    fault,
    list,
  );
}

function showOnce(place, { name, token }) {
  const input = h("input", {
    readonly: true,
    value: token,
    "aria-label": `Token ${name}`,
    class: "secret",
    spellcheck: "false",
    autocomplete: "off",
  });
  input.addEventListener("focus", () => input.select());
  const copy = copyButton(token, "the token", () => input.focus());
  fill(
    place,
    notice(
      "ok",
      h("strong", {}, `Token “${name}” is made.`),
      h("p", {}, "Copy it now: it is not shown again."),
      h("div", { class: "copy-line" }, input, copy),
    ),
  );
  input.focus();
}
