/** Who belongs to a private room: let in, sent away, left. */

import { get, post, remove } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { when } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { field, form } from "../parts/form.js";
import { guarded } from "../parts/notice.js";
import { isAdmin, user } from "../session.js";

const MOST = 200;

/**
 * @param {{name: string, created_by: number}} room
 * @param {AbortSignal} signal
 * @param {(path: string) => void} go
 */
export function membersPanel(room, signal, go) {
  const path = `/chat/rooms/${room.name}/members`;
  const me = user.get().id;
  const list = h("ul", { class: "things", "aria-label": "Members" });
  const fault = h("div", {});
  const title = h("summary", {}, "Members");
  const maySendAway = room.created_by === me || isAdmin();

  async function load() {
    await guarded(fault, signal, async () => {
      const { items, next } = await get(`${path}?limit=${MOST}`, { signal });
      setText(title, `Members (${items.length}${next ? " and more" : ""})`);
      fill(list, items.map(line));
    });
  }

  function line(member) {
    const name = member.username ?? `user ${member.user_id}`;
    const isMe = member.user_id === me;
    const words = isMe ? "Leave" : "Send away";
    const button = h(
      "button",
      {
        type: "button",
        class: "button small danger-quiet",
        "aria-label": isMe ? "Leave the room" : `Send ${name} away`,
        onclick: () => void take(member, name, isMe),
      },
      words,
    );
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("strong", {}, name),
        h("span", { class: "fine" }, "since ", when(member.joined_at)),
      ),
      isMe || maySendAway ? button : null,
    );
  }

  async function take(member, name, isMe) {
    await guarded(fault, signal, async () => {
      const yes = await confirm({
        title: isMe ? "Leave this room?" : `Send ${name} away?`,
        text: isMe
          ? "A member has to let you in again. With its last member the room ends."
          : "They see nothing of this room any more, until a member lets them in again.",
        yes: isMe ? "Leave" : "Send away",
        no: "Stay as it is",
      });
      if (!yes) return;
      await remove(`${path}/${member.user_id}`, { signal });
      if (isMe) go("/chat");
      else {
        announce(`${name} was sent away.`);
        await load();
        title.focus();
      }
    });
  }

  const number = field({
    label: "Let somebody in",
    name: "user_id",
    type: "number",
    min: 1,
    step: 1,
    required: true,
    placeholder: "their number",
    hint: "Their number stands on their account page. They see what is said from then on.",
  });
  const { node: formNode } = form({
    label: "Let somebody in",
    className: "in-line",
    fields: [number],
    action: "Let in",
    busy: "Letting in…",
    submit: async () => {
      await post(path, { user_id: Number(number.input.value) }, { signal });
      announce(`User ${number.input.value} may come in.`);
      number.input.value = "";
      await load();
    },
  });
  void load();
  return h(
    "details",
    { class: "members" },
    title,
    h("div", { class: "panel" }, fault, list, formNode),
  );
}
