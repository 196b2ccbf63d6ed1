/** One line of the mails, changed in place. */

import { h, setAttr, setText } from "../dom.js";
import { number, setWhen, when } from "../format.js";
import { answerOf, MAIL_STATES } from "../mail_words.js";
import { badge, setBadge } from "../parts/badge.js";
import { cell } from "../parts/grid.js";
import { setOwner } from "../parts/people.js";

/**
 * @param {any} mail
 * @param {{withOwner: boolean}} options
 */
export function mailRow(mail, { withOwner }) {
  const state = badge();
  const about = mailAbout();
  const owner = withOwner ? h("span", { class: "mail-owner" }) : null;
  const task = h("a", { href: `/tasks/${mail.task_id}` }, "its task");
  if (owner) setOwner(owner, mail.owner_id);
  const node = h(
    "tr",
    { role: "row" },
    cell(
      "",
      h("strong", {}, mail.recipient),
      h("span", { class: "fine why" }, mail.subject),
      mail.batch_id && h("a", { href: `/mail/sendings/${mail.batch_id}` }, "one of many"),
    ),
    cell("State", state, task),
    cell("Mail system", about.node),
    owner && cell("Owner", owner),
    cell("Ordered", when(mail.created_at)),
  );

  function update(now) {
    setBadge(state, now.state, MAIL_STATES);
    setAttr(task, "href", `/tasks/${now.task_id}`);
    about.show(now);
  }

  return { node, update };
}

/** What the mail system said to a mail, how often it was asked, and when it is again. */
export function mailAbout() {
  const answer = h("span", { class: "mail-answer" });
  const tries = h("span", {});
  const again = when(null);
  const next = h("span", {}, " · again ", again);
  const node = h("div", { class: "mail-about" }, answer, h("span", { class: "fine" }, tries, next));
  return {
    node,
    show(mail) {
      setText(answer, answerOf(mail));
      setText(tries, attempts(mail.attempts));
      next.hidden = mail.state !== "deferred" || !mail.due_at;
      setWhen(again, next.hidden ? null : mail.due_at);
    },
  };
}

function attempts(count) {
  if (count === 0) return "not tried yet";
  return count === 1 ? "1 attempt" : `${number(count)} attempts`;
}
