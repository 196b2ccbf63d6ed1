/** The frame around every view: the sash, the ways to other views, who is signed in. */

import { get } from "../api.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { connection } from "../connection.js";
import { bell } from "./bell.js";
import { themeSwitch } from "./theme_switch.js";

// One line a place.
const PLACES = [
  {
    href: "/",
    name: "Tasks",
    picture: "list",
    isAt: (path) => path === "/" || /^\/(tasks|batches)\b/.test(path),
  },
  { href: "/reports/new", name: "Order a report", picture: "report" },
  { href: "/exports", name: "Exports", picture: "download" },
  {
    href: "/mail",
    name: "Mail",
    picture: "letter",
    isAt: (path) => /^\/mail(\/(new|sendings)\b|$)/.test(path),
  },
  { href: "/chat", name: "Chat", picture: "talk", isAt: (path) => /^\/chat\b/.test(path) },
  { href: "/account", name: "Account", picture: "person" },
];

const OPERATORS_PLACES = [
  { href: "/admin/queues", name: "Queues", picture: "stack" },
  { href: "/admin/workers", name: "Workers", picture: "worker" },
  { href: "/admin/schedules", name: "Schedules", picture: "calendar" },
  { href: "/admin/failures", name: "Failures", picture: "alert" },
  { href: "/admin/connections", name: "Connections", picture: "plug" },
  { href: "/admin/announce", name: "Announce", picture: "horn" },
  { href: "/admin/suppressions", name: "Suppressions", picture: "stop" },
];

const CAUGHT_MAILS = {
  href: "/mail/inbox",
  name: "Caught mails",
  picture: "letter",
  isAt: (path) => /^\/mail\/inbox\b/.test(path),
};

const OUTAGE_AFTER_MS = 3_000; // a server that is restarted is back by then

const CONNECTION = {
  live: ["Live", "ok"],
  reconnecting: ["Reconnecting…", "warn"],
  offline: ["Offline", "bad"],
  paused: ["Paused", "off"],
};

/**
 * @param {{username: string, name: string, role: string}} user
 * @param {() => void} signOut
 * @param {AbortSignal} signal aborted when the frame is taken away
 */
export function shell(user, signOut, signal) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const own = PLACES.map(linkTo);
  const operators = user.role === "admin" ? OPERATORS_PLACES.map(linkTo) : [];
  const list = listOf(operators);
  if (operators.length > 0) void addCaughtMails();
  const menu = h("div", { class: "menu", id: "menu" });
  const toggle = h(
    "button",
    {
      type: "button",
      class: "button quiet menu-toggle",
      "aria-expanded": "false",
      "aria-controls": "menu",
    },
    icon("menu"),
    "Menu",
  );
  const open = (isOpen) => {
    setAttr(toggle, "aria-expanded", String(isOpen));
    menu.toggleAttribute("data-open", isOpen);
  };
  toggle.addEventListener("click", () => open(toggle.getAttribute("aria-expanded") !== "true"));
  fill(
    menu,
    h("nav", { "aria-label": "Main" }, listOf(own)),
    operators.length > 0 &&
      h(
        "nav",
        { "aria-labelledby": "operations" },
        h("p", { class: "rail-title", id: "operations" }, "Operations"),
        list,
      ),
    h(
      "div",
      { class: "rail-end" },
      connectionSign(signal),
      themeSwitch(),
      who(user),
      signOutButton(signOut),
    ),
  );
  const brand = h(
    "a",
    { href: "/", class: "brand" },
    h("img", { src: "/ui/img/logo.svg", alt: "", width: 30, height: 30 }),
    "Tasuki",
  );
  const notes = bell(signal);
  const rail = h("header", { class: "rail" }, brand, notes.node, toggle, menu);
  rail.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || toggle.getAttribute("aria-expanded") !== "true") return;
    open(false);
    toggle.focus();
  });
  function mark(path) {
    for (const [place, link] of [...own, ...operators]) {
      const isHere = place.isAt ? place.isAt(path) : path === place.href;
      setAttr(link, "aria-current", isHere ? "page" : null);
    }
  }

  /** Only where no mail is delivered is there anything to see. */
  async function addCaughtMails() {
    try {
      const { caught } = await get("/mail/system", { signal });
      if (!caught) return;
    } catch {
      return; // the page itself says what is wrong; the next visit asks again
    }
    const entry = linkTo(CAUGHT_MAILS);
    operators.push(entry);
    list.append(h("li", {}, entry[1]));
    mark(window.location.pathname);
  }

  return {
    node: h("div", { class: "shell" }, skipLink(), rail, main, outage(signal)),
    main,
    /** Mark where we are. */
    at(path) {
      open(false);
      notes.at(path);
      mark(path);
    },
  };
}

function linkTo(place) {
  return [place, h("a", { href: place.href }, icon(place.picture), place.name)];
}

function listOf(links) {
  return h(
    "ul",
    {},
    links.map(([, link]) => h("li", {}, link)),
  );
}

export function skipLink() {
  return h("a", { href: "#main", class: "skip" }, "Skip to the content");
}

function connectionSign(signal) {
  const word = h("span", {});
  const node = h(
    "p",
    { class: "connection", title: "Whether this page shows news by itself" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    word,
  );
  connection.watch((state) => {
    const [text, tone] = CONNECTION[state] ?? ["", "off"];
    setText(word, text);
    setAttr(node, "data-tone", tone);
    node.hidden = text === "";
  }, signal);
  return node;
}

/** Says on every page that it may be old, once that has lasted for a moment. */
function outage(signal) {
  const text = h("span", {});
  const node = h("p", { class: "outage", role: "status", hidden: true }, icon("alert"), text);
  let timer = 0;
  connection.watch((state) => {
    clearTimeout(timer);
    const isAway = state === "offline" || state === "reconnecting";
    if (!isAway) node.hidden = true;
    else timer = setTimeout(() => show(state), OUTAGE_AFTER_MS);
  }, signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  return node;

  function show(state) {
    const what = state === "offline" ? "You are offline." : "The server cannot be reached.";
    node.hidden = false;
    setText(text, `${what} What you see may be old; it goes on by itself.`);
  }
}

function who(user) {
  const isAdmin = user.role === "admin";
  return h(
    "p",
    { class: "who" },
    icon("person"),
    h("span", { class: "who-name" }, user.name || user.username),
    isAdmin ? h("span", { class: "tag" }, "admin") : null,
  );
}

function signOutButton(signOut) {
  return h(
    "button",
    { type: "button", class: "button quiet", onclick: signOut },
    icon("leave"),
    "Sign out",
  );
}
