/**
 * What a tab has not got across in each room. It outlives a reload: what is sent again with the
 * same nonce is said once.
 */

import { user } from "./session.js";

const keyOf = (room) => `tasuki.unsent.${user.get()?.id}.${room}`;

/** @returns {import("./room.js").Pending[]} in their order */
export function unsentOf(room) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(room)) ?? "[]");
  } catch {
    return []; // no storage here, or something else wrote into it
  }
}

/** @param {import("./room.js").Pending[]} pending */
export function keepUnsent(room, pending) {
  try {
    if (pending.length === 0) sessionStorage.removeItem(keyOf(room));
    else sessionStorage.setItem(keyOf(room), JSON.stringify(pending));
  } catch {
    // Full or forbidden: they are kept as long as the page is.
  }
}
