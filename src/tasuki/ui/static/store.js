/** A value that others may watch. */

/**
 * @template T
 * @param {T} value
 * @returns {{get: () => T, set: (next: T) => void,
 *            watch: (fn: (value: T) => void, signal?: AbortSignal) => void}}
 */
export function store(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const fn of [...watchers]) fn(value);
    },
    /** Calls `fn` now and at every change, until the signal says stop. */
    watch(fn, signal) {
      if (signal?.aborted) return;
      watchers.add(fn);
      signal?.addEventListener("abort", () => watchers.delete(fn), { once: true });
      fn(value);
    },
  };
}
