/** How fast a sending goes, measured while it is watched; nothing where nothing was measured. */

import { duration, number } from "../format.js";
import { endedOf } from "./sending_words.js";

const LEAST_MS = 3_000;
const WINDOW_MS = 20_000;

/** @returns {(sending: any) => string} takes what is known now, and says the pace */
export function paceOf() {
  let seen = [];
  return ({ is_paused: isPaused, batch }) => {
    const isMoving = !isPaused && !batch.finished_at && !batch.cancel_requested_at;
    if (!isMoving) {
      seen = [];
      return "";
    }
    const now = { at: performance.now(), ended: endedOf(batch) };
    seen = [...seen.filter(({ at }) => now.at - at < WINDOW_MS), now];
    const took_ms = now.at - seen[0].at;
    const count = now.ended - seen[0].ended;
    if (took_ms < LEAST_MS || count === 0) return "";
    const left = duration(((batch.total - now.ended) * took_ms) / count);
    return `${number((count * 1000) / took_ms)} a second · at this pace ${left} more`;
  };
}
