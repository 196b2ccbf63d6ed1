/** What the console calls the states of a mail, and why an address is written to no more. */

import { isAdmin, user } from "./session.js";

/** State → [word, tone, icon, what it means]. */
export const MAIL_STATES = {
  queued: ["Waiting", "wait", "queue", "Its turn has not come yet."],
  sending: ["Sending", "run", "run", "It is being handed to the mail system."],
  deferred: ["Deferred", "warn", "retry", "The mail system said “later”; it is tried again."],
  sent: ["Sent", "ok", "check", "The mail system has taken it."],
  failed: ["Failed", "bad", "cross", "The mail system refused it, or its time was over."],
  unknown: [
    "Unknown",
    "warn",
    "alert",
    "The mail system may have taken it; its answer was not heard.",
  ],
  suppressed: ["Suppressed", "off", "stop", "The address is written to no more."],
  cancelled: ["Cancelled", "off", "stop", "Somebody cancelled it before it was sent."],
};

/** Why an address is written to no more: [word, what it means]. */
export const REASONS = {
  rejected: ["Rejected", "Its mail system says that there is nobody."],
  unsubscribed: ["Unsubscribed", "Gets no sendings any more, but still single mails."],
  by_hand: ["By hand", "An admin said so."],
};

const WAITING = ["queued", "sending", "deferred"];

/** Whether it will change by itself. */
export const isWaiting = (state) => WAITING.includes(state);

/** What a mail system answered; for a suppressed one, why nobody asked it. */
export function answerOf({ state, answer }) {
  if (state === "suppressed") return REASONS[answer]?.[1] ?? answer ?? "";
  return answer ?? "";
}

/** Whether who is signed in has a right. */
export const mayUse = (scope) => isAdmin() || Boolean(user.get()?.scopes.includes(scope));

export const MAY_WRITE_TO_ANYBODY = "email:any";
export const MAY_SEND_TO_MANY = "email:bulk";
