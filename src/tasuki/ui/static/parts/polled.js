/** Shows something that is asked for again and again; what fails is said above what is known. */

import { Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFresh } from "../live.js";
import { problemNotice } from "./notice.js";

/**
 * @template T
 * @param {{load: (signal: AbortSignal) => Promise<T>, show: (found: T) => void,
 *          every_ms: number|((found: T) => number), signal: AbortSignal}} spec
 */
export function polled({ load, show, every_ms, signal }) {
  const fault = h("div", { class: "fault-place" });
  const waiting = h("p", { class: "loading", role: "status" }, "Loading…");
  const pauseAfter = typeof every_ms === "function" ? every_ms : () => every_ms;
  const refresh = keepFresh(async () => {
    let found;
    try {
      found = await load(signal);
      if (signal.aborted) return 0;
      show(found);
      fill(fault);
    } catch (error) {
      if (error instanceof Problem && !signal.aborted) fill(fault, problemNotice(error));
      throw error;
    } finally {
      waiting.remove();
    }
    return pauseAfter(found);
  }, signal);
  return { node: h("div", {}, fault, waiting), refresh };
}
