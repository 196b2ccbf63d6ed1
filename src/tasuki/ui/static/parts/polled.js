/** Shows something that is asked for again and again; what fails is said above what is known. */

import { Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFresh } from "../live.js";
import { problemNotice } from "./notice.js";

/**
 * @template T
 * @param {{load: (signal: AbortSignal) => Promise<T>, show: (found: T) => void,
 *          every_ms: number, signal: AbortSignal}} spec
 */
export function polled({ load, show, every_ms, signal }) {
  const fault = h("div", { class: "fault-place" });
  const waiting = h("p", { class: "loading", role: "status" }, "Loading…");
  const refresh = keepFresh(async () => {
    try {
      const found = await load(signal);
      if (signal.aborted) return every_ms;
      show(found);
      fill(fault);
    } catch (error) {
      if (error instanceof Problem && !signal.aborted) fill(fault, problemNotice(error));
      throw error;
    } finally {
      waiting.remove();
    }
    return every_ms;
  }, signal);
  return { node: h("div", {}, fault, waiting), refresh };
}
