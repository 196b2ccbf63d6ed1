/** Times, durations, sizes and numbers, in the reader's own language. */

import { h, setAttr, setText } from "./dom.js";

const LOCALE = navigator.language;
const EXACT = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "long" });
const DAY = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full" });
const CLOCK = new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const NUMBER = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const STEPS = [
  [60, "second", 1],
  [3_600, "minute", 60],
  [86_400, "hour", 3_600],
  [604_800, "day", 86_400],
  [2_629_800, "week", 604_800],
  [31_557_600, "month", 2_629_800],
  [Infinity, "year", 31_557_600],
];

// A reader's clock may be minutes off; what counts is the server's.
let ahead_ms = 0;

/** @param {string|null} date the `Date` header, exact to a second */
export function noteServerTime(date) {
  const told = Date.parse(date ?? "");
  if (Number.isNaN(told)) return;
  const off = told - Date.now();
  ahead_ms = Math.abs(off) > 2_000 ? off : 0;
}

const now = () => Date.now() + ahead_ms;

/** "3 min. ago". */
export function ago(iso) {
  const seconds = (Date.parse(iso) - now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return AGO.format(0, "second");
  const [, unit, length] = STEPS.find(([limit]) => size < limit);
  return AGO.format(Math.trunc(seconds / length), unit);
}

/** Date and time with seconds and zone. */
export const exact = (iso) => EXACT.format(new Date(iso));

/** The day, with its name. */
export const day = (iso) => DAY.format(new Date(iso));

/** The time of day. */
export const clock = (iso) => CLOCK.format(new Date(iso));

export const number = (value) => NUMBER.format(value);

/** "1 min 20 s". Units are the SI's and need no language. */
export function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.1) return `< ${NUMBER.format(0.1)} s`;
  if (seconds < 10) return `${NUMBER.format(Math.floor(seconds * 10) / 10)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "40.2 kB". */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let index = 0;
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  return `${NUMBER.format(value)} ${units[index]}`;
}

/** A `<time>` that says how long ago, keeps saying so, and has the exact time as its title. */
export function when(iso) {
  const node = h("time", { class: "when", "data-tick": "ago", lang: LOCALE });
  setWhen(node, iso);
  return node;
}

/** Let a `<time>` of `when` tell of another moment. */
export function setWhen(node, iso) {
  if (!iso) {
    setText(node, "–");
    setAttr(node, "datetime", null);
    return;
  }
  setAttr(node, "datetime", iso);
  setAttr(node, "title", exact(iso));
  setText(node, ago(iso));
}

/** A duration from one moment to another, or still running. */
export function spent() {
  return h("span", { class: "spent" });
}

/** Let an element of `spent` count from `from` to `to`; without `to` it goes on counting. */
export function setSpent(node, from, to) {
  setAttr(node, "data-from", from && !to ? from : null);
  setAttr(node, "data-tick", from && !to ? "spent" : null);
  if (!from) setText(node, "–");
  else setText(node, duration((to ? Date.parse(to) : now()) - Date.parse(from)));
}

/** Keep all relative times true. One clock for the whole page. */
export function startTicking() {
  setInterval(() => {
    if (document.hidden) return;
    for (const node of document.querySelectorAll("[data-tick]")) {
      if (node.dataset.tick === "spent") {
        setText(node, duration(now() - Date.parse(node.dataset.from)));
      } else if (node.hasAttribute("datetime")) {
        setText(node, ago(node.getAttribute("datetime")));
      }
    }
  }, 1000);
}

/** An `Idempotency-Key`. `randomUUID` is missing on plain http away from localhost. */
export function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
