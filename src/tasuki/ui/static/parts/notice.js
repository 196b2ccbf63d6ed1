/** A message in the page: what happened, and what to do about it. */

import { Problem } from "../api.js";
import { fill, h, icon } from "../dom.js";

const PICTURES = { bad: "cross", ok: "check", info: "info" };

/**
 * @param {"bad"|"ok"|"info"} tone a bad one is read out at once
 * @param {...any} children
 */
export function notice(tone, ...children) {
  const role = tone === "bad" ? "alert" : null;
  return h(
    "div",
    { class: "notice", "data-tone": tone, role },
    icon(PICTURES[tone]),
    h("div", {}, children),
  );
}

/** The message of a failed call; for what is our fault, with the id that finds it in the logs. */
export function problemNotice(problem, ...children) {
  const wait = problem.retryAfter ? ` Try again in ${problem.retryAfter} s.` : "";
  const text = problem.message === problem.title ? wait : problem.message + wait;
  const isOurs = problem.status >= 500 && problem.errorId;
  return notice(
    "bad",
    h("strong", {}, problem.title ?? "Something went wrong"),
    text ? h("p", {}, text) : null,
    isOurs ? h("p", { class: "fine" }, "Error id ", h("code", {}, problem.errorId)) : null,
    children,
  );
}

/** An empty place: what would be here, and how to get it. */
export function empty(title, text, ...actions) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-sash", "aria-hidden": "true" }),
    h("h2", {}, title),
    h("p", {}, text),
    actions.length ? h("p", { class: "actions" }, actions) : null,
  );
}

/** Run something and show in a place what went wrong. */
export async function guarded(place, signal, run) {
  try {
    fill(place);
    await run();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    fill(place, problemNotice(error));
  }
}
