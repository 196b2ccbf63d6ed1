/** Who is connected: web processes, channels, sockets and streams, which can be ended. For admins. */

import { get, remove } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { duration, number, setWhen, size, when } from "../format.js";
import { announce } from "../parts/announce.js";
import { confirm } from "../parts/confirm.js";
import { field } from "../parts/form.js";
import { cell, figure, grid } from "../parts/grid.js";
import { keyed } from "../parts/keyed.js";
import { empty, guarded } from "../parts/notice.js";
import { polled } from "../parts/polled.js";
import { replaceQuery } from "../router.js";

const EVERY_MS = 3_000;
const TYPING_MS = 300;
const MOST_CHANNELS = 12; // the rest is found by its name
const KINDS = { websocket: "WebSocket", sse: "Server-Sent Events", jsonl: "JSON Lines" };

export function connectionsView({ query, signal }) {
  const filters = connectionFilters(query, () => refresh(), signal);
  const fault = h("div", {});
  const end = (one) =>
    guarded(fault, signal, async () => {
      if (!(await mayEnd(one))) return;
      await remove(`/admin/realtime/connections/${encodeURIComponent(one.id)}`, { signal });
      announce(`The connection of ${one.username} is ended.`);
      refresh();
    });
  const nodes = nodeTable();
  const channels = channelList((name) => filters.pick("channel", name));
  const connections = connectionTable(end, (name) => filters.pick("username", name));

  const { node: state, refresh } = polled({
    signal,
    every_ms: EVERY_MS,
    load: () => get(`/admin/realtime?${filters.wanted()}`, { signal }),
    show(found) {
      nodes.show(found.nodes);
      channels.show(found.channels);
      connections.show(found.connections, filters.wanted().size > 0);
    },
  });
  const node = h(
    "div",
    { class: "view stack" },
    h("h1", { tabindex: "-1" }, "Connections"),
    h(
      "p",
      { class: "lead" },
      "Open sockets and streams of all web processes, as they are now.",
    ),
    state,
    nodes.node,
    channels.node,
    filters.node,
    fault,
    connections.node,
  );
  return { title: "Connections", node };
}

function connectionFilters(query, changed, signal) {
  const text = { type: "search", autocomplete: "off", spellcheck: "false" };
  const fields = [
    field({ label: "User", name: "username", placeholder: "username", ...text }),
    field({ label: "Channel", name: "channel", placeholder: "e.g. chat:tea-room", ...text }),
  ];
  let timer = 0;
  for (const { input, name } of fields) input.value = query.get(name) ?? "";

  function wanted() {
    const given = fields.map(({ name, input }) => [name, input.value.trim()]);
    return new URLSearchParams(given.filter(([, value]) => value));
  }

  function apply() {
    clearTimeout(timer);
    if (signal.aborted) return;
    replaceQuery(wanted());
    changed();
  }

  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter the connections",
      onsubmit: (event) => (event.preventDefault(), apply()),
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(apply, TYPING_MS);
      },
    },
    fields.map((one) => one.node),
  );
  return {
    node,
    wanted,
    pick(name, value) {
      fields.find((one) => one.name === name).input.value = value;
      apply();
    },
  };
}

function mayEnd(one) {
  return confirm({
    title: "End this connection?",
    text: [
      `It is one of ${one.username}. `,
      one.kind === "websocket"
        ? "A chat in the console then waits until they connect again."
        : "A browser comes back by itself within seconds, if it still may.",
    ],
    yes: "End it",
    no: "Keep it",
  });
}

function nodeTable() {
  const { node, body } = grid("Web processes", [
    "Web process",
    "Connections",
    "Channels",
    "Waiting",
    "Lag of Redis",
    "Since",
  ]);
  const show = keyed(body, { key: (one) => one.id, make: nodeRow });
  return { node, show };
}

function nodeRow({ host, pid }) {
  const [connections, channels, waiting, lag] = Array.from({ length: 4 }, () => figure());
  const since = when(null);
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, host), h("span", { class: "fine" }, `process ${pid}`)),
    cell("Connections", connections.value),
    cell("Channels", channels.value),
    cell("Waiting", waiting.value),
    cell("Lag of Redis", lag.value),
    cell("Since", since),
  );
  return {
    node,
    update(one) {
      setText(connections.value, number(one.connections));
      setText(channels.value, number(one.channels));
      setText(waiting.value, size(one.waiting_bytes));
      setText(lag.value, duration(one.broker_lag_s * 1000));
      setWhen(since, one.started_at);
    },
  };
}

/** Channels with most listeners; a click shows who they are. */
function channelList(pick) {
  const list = h("ul", { class: "chips channels", "aria-label": "Channels" });
  const more = h("p", { class: "fine" });
  const showChips = keyed(list, {
    key: (one) => one.channel,
    make: ({ channel }) => {
      const count = h("span", { class: "figure" });
      const button = h(
        "button",
        {
          type: "button",
          class: "button small quiet",
          title: `Show only those who listen to ${channel}`,
          onclick: () => pick(channel),
        },
        h("code", {}, channel),
        count,
      );
      const update = ({ connections }) => setText(count, number(connections));
      return { node: h("li", {}, button), update };
    },
  });
  return {
    node: h("div", {}, list, more),
    show(channels) {
      showChips(channels.slice(0, MOST_CHANNELS));
      const rest = channels.length - MOST_CHANNELS;
      setText(more, rest > 0 ? `and ${number(rest)} more` : "");
    },
  };
}

function connectionTable(end, pick) {
  const { node: table, body } = grid("Connections", [
    "User",
    "Kind",
    "Address",
    "Listens to",
    "Waiting",
    "Since",
    "",
  ]);
  const none = h("div", {});
  table.hidden = true;
  const showRows = keyed(body, {
    key: (one) => one.id,
    make: (one) => connectionRow(one, end, pick),
  });
  return {
    node: h("div", {}, table, none),
    show(connections, isFiltered) {
      showRows(connections);
      table.hidden = connections.length === 0;
      const key = String(isFiltered);
      if (connections.length > 0) fill(none);
      else if (!none.firstChild || none.dataset.key !== key) {
        fill(none, isFiltered ? NO_MATCH() : NOBODY());
      }
      none.dataset.key = key;
    },
  };
}

const NOBODY = () => empty("Nobody is connected", "Open tabs and programs appear here.");
const NO_MATCH = () => empty("No connection matches", "What comes to match appears by itself.");

function connectionRow(one, end, pick) {
  const waiting = figure();
  const since = when(one.connected_at);
  const who = h(
    "button",
    {
      type: "button",
      class: "button small quiet link-like",
      title: `Show only connections of ${one.username}`,
      onclick: () => pick(one.username),
    },
    one.username,
  );
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, who), h("span", { class: "fine" }, `user ${one.user_id}`)),
    cell("Kind", KINDS[one.kind] ?? one.kind),
    cell("Address", h("code", {}, one.address || "–")),
    cell(
      "Listens to",
      one.channels.map((name) => h("code", {}, name)),
    ),
    cell("Waiting", waiting.value),
    cell("Since", since),
    cell(
      "",
      h(
        "button",
        {
          type: "button",
          class: "button small danger-quiet",
          "aria-label": `End a connection of ${one.username}`,
          onclick: () => void end(one),
        },
        "End",
      ),
    ),
  );
  return { node, update: (now) => setText(waiting.value, size(now.waiting_bytes)) };
}
