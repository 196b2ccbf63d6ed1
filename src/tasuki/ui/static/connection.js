/** Whether what is shown stays true by itself, told by all those who keep it so. */

import { store } from "./store.js";

// The worst of them counts.
const WORST_FIRST = ["offline", "reconnecting", "paused", "live"];

/** "live", "reconnecting", "offline", "paused", or "" where nothing is kept fresh. */
export const connection = store("");

const told = new Map();

/**
 * One who keeps something fresh tells its state through this; "" means that it has stopped.
 *
 * @returns {(state: "live"|"reconnecting"|"paused"|"") => void}
 */
export function reporter() {
  const mine = Symbol("reporter");
  return (state) => {
    if (state === "") told.delete(mine);
    else told.set(mine, state === "reconnecting" && !navigator.onLine ? "offline" : state);
    const states = [...told.values()];
    connection.set(WORST_FIRST.find((one) => states.includes(one)) ?? "");
  };
}
