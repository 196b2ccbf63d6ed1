/** A mail that was just ordered: where it is, and what the mail system said. */

import { get, Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { isWaiting, MAIL_STATES } from "../mail_words.js";
import { announce } from "../parts/announce.js";
import { badge, setBadge } from "../parts/badge.js";
import { problemNotice } from "../parts/notice.js";
import { watchTask } from "../watch.js";
import { mailAbout } from "./mail_row.js";

/**
 * @param {{mail_id: string, task_id: string}} accepted
 * @param {AbortSignal} signal
 */
export function mailSent({ mail_id: id, task_id: taskId }, signal) {
  const state = badge();
  const to = h("strong", {});
  const meaning = h("p", { class: "fine" });
  const about = mailAbout();
  const fault = h("div", {});
  let last = "";

  function show(mail) {
    setBadge(state, mail.state, MAIL_STATES);
    fill(to, mail.recipient);
    fill(meaning, MAIL_STATES[mail.state]?.[3]);
    about.show(mail);
    if (last !== mail.state && !isWaiting(mail.state)) {
      announce(`The mail to ${mail.recipient}: ${MAIL_STATES[mail.state][0]}.`);
    }
    last = mail.state;
  }

  /** The task tells when something has changed; the mail tells what. */
  async function look() {
    try {
      show(await get(`/mail/messages/${id}`, { signal }));
      fill(fault);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(fault, problemNotice(error));
    }
  }

  const gone = (error) => fill(fault, problemNotice(error));
  watchTask(taskId, { task: () => void look(), events: () => {}, gone }, signal);
  return h(
    "section",
    { class: "panel", "aria-label": "The mail you sent" },
    h("h2", {}, "Your mail"),
    h("div", { class: "bar-line" }, to, state),
    meaning,
    about.node,
    fault,
    h(
      "p",
      { class: "fine" },
      h("a", { href: `/tasks/${taskId}` }, "Its task"),
      " · ",
      h("a", { href: "/mail" }, "all mails"),
    ),
  );
}
