/** The wish to be told by mail that a task has ended. */

import { h, setText } from "../dom.js";
import { user } from "../session.js";

/**
 * A checkbox for a form; none for those whose address is not verified, who cannot be told.
 *
 * @param {string} words
 */
export function mailMe(words) {
  const who = user.get();
  if (!who?.email_verified) return null;
  const input = h("input", { type: "checkbox", name: "mail_me" });
  const fault = h("p", { class: "fault" });
  const node = h(
    "div",
    { class: "field" },
    h("label", { class: "check" }, input, h("span", {}, words)),
    h("p", { class: "hint" }, `To ${who.email}, also when it fails.`),
    fault,
  );
  return { name: "mail_me", input, node, setFault: (message) => setText(fault, message) };
}
