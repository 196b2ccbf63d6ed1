/** The rooms: public ones and one's own, with what is new in them; and a new one. */

import { get, post } from "../api.js";
import { fill, h, icon, setText } from "../dom.js";
import { number } from "../format.js";
import { listen } from "../live_stream.js";
import { field, form } from "../parts/form.js";
import { keyed } from "../parts/keyed.js";
import { empty } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { seenIn } from "../seen.js";

const EVERY_MS = 15_000; // new rooms are told by no event
const PAGE = 100;
const MOST_FOLLOWED = 14; // a stream has 16 channels, two are the user's own

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function roomsView({ signal }, go) {
  const list = h("ul", { class: "things rooms panel", "aria-label": "Rooms" });
  const none = h("div", {});
  const showRows = keyed(list, { key: (room) => room.id, make: roomRow });
  let rooms = [];
  let pages = 1;
  let isFollowed = false;

  async function load() {
    const found = [];
    let cursor = null;
    for (let page = 0; page < pages && (page === 0 || cursor); page += 1) {
      const query = new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
      const { items, next } = await get(`/chat/rooms?${query}`, { signal });
      found.push(...items);
      cursor = next;
    }
    return { found, hasMore: cursor !== null };
  }

  function show({ found, hasMore }) {
    rooms = found;
    more.hidden = !hasMore;
    showRows(rooms);
    list.hidden = rooms.length === 0;
    if (rooms.length > 0) fill(none);
    else if (!none.firstChild) fill(none, empty("No room yet", "Make the first one."));
    follow();
  }

  /** What is said in the first rooms shows at once; in the others within some seconds. */
  function follow() {
    if (isFollowed || rooms.length === 0) return;
    isFollowed = true;
    const channels = rooms.slice(0, MOST_FOLLOWED).map((room) => `chat:${room.name}`);
    listen({ on: { chat: said }, channels, missed: () => refresh() }, signal);
  }

  function said({ data }) {
    rooms = rooms.map((room) => (room.name === data.room ? { ...room, seq: data.seq } : room));
    showRows(rooms);
  }

  const { node: state, refresh } = polled({ signal, every_ms: EVERY_MS, load, show });
  const more = h(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => ((pages += 1), refresh()) },
    "Show more",
  );
  const node = h(
    "div",
    { class: "view reading stack" },
    h("h1", { tabindex: "-1" }, "Chat"),
    newRoom(go, signal),
    state,
    none,
    list,
    h("div", { class: "actions middle" }, more),
  );
  return { title: "Chat", node };
}

function roomRow(first) {
  const fresh = h("span", { class: "bell-count", hidden: true });
  const count = h("span", { class: "fine" });
  const node = h(
    "li",
    {},
    h(
      "div",
      {},
      h("a", { href: `/chat/${first.name}`, class: "room-link" }, first.name),
      count,
    ),
    h(
      "span",
      { class: "room-signs" },
      fresh,
      first.public ? null : h("span", { class: "tag" }, "private"),
    ),
  );
  return {
    node,
    update(room) {
      const seen = seenIn(room);
      const news = seen === null ? 0 : Math.max(0, room.seq - seen);
      setText(fresh, news > 99 ? "99+ new" : `${news} new`);
      fresh.hidden = news === 0;
      const words = room.seq === 1 ? "1 message" : `${number(room.seq)} messages`;
      setText(count, room.seq === 0 ? "Nothing said yet" : words);
    },
  };
}

function newRoom(go, signal) {
  const name = field({
    label: "New room",
    name: "name",
    required: true,
    maxlength: 64,
    pattern: "[A-Za-z0-9_.\\-]{1,64}",
    autocomplete: "off",
    spellcheck: "false",
    title: "Letters from A to Z, digits, and . _ -",
    placeholder: "e.g. tea-room",
    beside: h(
      "label",
      { class: "check" },
      h("input", { type: "checkbox", name: "private" }),
      h("span", {}, icon("person"), " Only for those whom its members let in"),
    ),
  });
  const isPrivate = name.node.querySelector("input[type=checkbox]");
  const { node } = form({
    label: "Make a room",
    className: "in-line",
    fields: [name],
    action: "Make it",
    busy: "Making it…",
    submit: async () => {
      const wanted = { name: name.input.value, public: !isPrivate.checked };
      const room = await post("/chat/rooms", wanted, { signal });
      go(`/chat/${room.name}`);
    },
  });
  return h("section", { class: "panel" }, node);
}
