/** Telling one user something, or everybody. For admins. */

import { post } from "../api.js";
import { h, setText } from "../dom.js";
import { announce } from "../parts/announce.js";
import { field, form } from "../parts/form.js";
import { notice } from "../parts/notice.js";
import { person } from "../parts/people.js";

const TYPING_MS = 300;
const TYPE = "announcement"; // for programs that tell these from what tasks say

export function tellView({ signal }) {
  const whom = field({
    label: "To",
    name: "whom",
    control: h(
      "select",
      {},
      h("option", { value: "all" }, "Everybody"),
      h("option", { value: "one" }, "One user"),
    ),
  });
  const user = userField(signal);
  const title = field({
    label: "Title",
    name: "title",
    required: true,
    maxlength: 200,
    autocomplete: "off",
  });
  const message = field({
    label: "Message",
    name: "message",
    control: h("textarea", { rows: 5, maxlength: 4000 }),
  });

  const showUser = () => {
    const isOne = whom.input.value === "one";
    user.node.hidden = !isOne;
    user.input.disabled = !isOne; // what is not asked for need not be filled in
  };
  whom.input.addEventListener("change", showUser);
  showUser();

  let told = null;
  const { node: formNode, place } = form({
    label: "Tell people something",
    fields: [whom, user, title, message],
    action: "Send",
    busy: "Sending…",
    submit: async () => {
      const isOne = whom.input.value === "one";
      const to = isOne ? { user_id: Number(user.input.value) } : { broadcast: true };
      const words = { title: title.input.value, message: message.input.value };
      await post("/notifications", { ...to, notification_type: TYPE, ...words }, { signal });
      title.input.value = "";
      message.input.value = "";
      const said = isOne ? "They have been told." : "Everybody has been told.";
      told = notice("ok", said);
      place.append(told);
      announce(said);
      title.input.focus();
    },
  });
  formNode.addEventListener("input", () => told?.remove()); // it is not about what is written now
  const node = h(
    "div",
    { class: "view narrow" },
    h("h1", { tabindex: "-1" }, "Announce"),
    h(
      "p",
      { class: "lead" },
      "It stands in their inbox at once, and the bell of open tabs counts it.",
    ),
    h("section", { class: "card" }, formNode),
  );
  return { title: "Announce", node };
}

/** A number, and whose it is. */
function userField(signal) {
  const found = h("p", { class: "found", role: "status" });
  const one = field({
    label: "User's number",
    name: "user_id",
    type: "number",
    min: 1,
    step: 1,
    required: true,
    hint: "It stands on their account page, and beside the name on the page of connections.",
    beside: found,
  });
  let timer = 0;
  one.input.addEventListener("input", () => {
    clearTimeout(timer);
    setText(found, "");
    timer = setTimeout(() => void look(one.input.value), TYPING_MS);
  });

  async function look(number) {
    if (!/^[1-9]\d*$/.test(number)) return;
    const who = await person(Number(number)).catch(() => null); // sending it will say why
    if (signal.aborted || one.input.value !== number || !who) return;
    setText(found, [who.username, who.name].filter(Boolean).join(" · "));
  }

  return one;
}
