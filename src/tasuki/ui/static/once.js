/** Keys that make two orders of the same thing one. */

import { freshKey } from "./format.js";

/**
 * An order has a key of its own, kept until it was taken: a second click, or another try after a
 * lost answer, is the same order.
 *
 * @template T
 * @param {(body: any, key: string) => Promise<T>} send
 * @returns {(body: any) => Promise<T>}
 */
export function once(send) {
  let last = { text: "", key: "" };
  return async (body) => {
    const text = JSON.stringify(body);
    if (text !== last.text) last = { text, key: freshKey() };
    const answer = await send(body, last.key);
    last = { text: "", key: "" };
    return answer;
  };
}
