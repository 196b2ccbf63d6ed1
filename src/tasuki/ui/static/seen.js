/** How far a user has read in each room, kept in this browser. */

import { user } from "./session.js";

const keyOf = (room) => `tasuki.seen.${user.get()?.id}.${room.id}`;

/** @returns {number|null} the `seq` of the last message that was seen; null: never been there */
export function seenIn(room) {
  try {
    const kept = localStorage.getItem(keyOf(room));
    return kept === null ? null : Number(kept);
  } catch {
    return null; // storage may be switched off
  }
}

export function setSeen(room, seq) {
  if ((seenIn(room) ?? -1) >= seq) return;
  try {
    localStorage.setItem(keyOf(room), String(seq));
  } catch {
    // Then the list of rooms counts nothing as new.
  }
}
