/**
 * Keeps lists true without a reload, by asking again: after a while, and when the tab's stream
 * (live_stream.js) says that there is news. One task is followed by its own stream (watch.js).
 */

import { reporter } from "./connection.js";

const FIRST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;

/** The pause before the next try: doubled each time, half of it random. */
export function backoff(failures) {
  const longest = Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
  return longest / 2 + (Math.random() * longest) / 2;
}

/** Wait, but not longer than the view is shown. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/**
 * Call `load` again and again while the page is visible.
 *
 * @param {(signal: AbortSignal) => Promise<number>} load returns the milliseconds until the next
 * @param {AbortSignal} signal
 * @returns {() => void} asks for news at once
 */
export function keepFresh(load, signal) {
  let timer = 0;
  let failures = 0;
  let isBusy = false;
  let isAskedAgain = false;
  const report = reporter();

  async function turn() {
    clearTimeout(timer);
    if (signal.aborted) return;
    if (isBusy) {
      isAskedAgain = true;
      return;
    }
    if (document.hidden) {
      report("paused");
      return;
    }
    isBusy = true;
    let pause_ms;
    try {
      pause_ms = await load(signal);
      failures = 0;
      if (!signal.aborted) report("live");
    } catch (error) {
      if (signal.aborted) return;
      if (!error.isPassing) throw error;
      pause_ms = Math.max(backoff(failures), (error.retryAfter ?? 0) * 1000);
      failures += 1;
      report("reconnecting");
    } finally {
      isBusy = false;
    }
    if (signal.aborted) return;
    if (isAskedAgain) {
      isAskedAgain = false;
      pause_ms = 0;
    }
    timer = setTimeout(run, pause_ms);
  }

  // What does not pass (signed out, not allowed) ends the asking; the view was told already.
  const run = () =>
    void turn().catch((error) => {
      report("");
      if (error.status === undefined) throw error; // a mistake of ours
    });
  document.addEventListener("visibilitychange", run, { signal });
  window.addEventListener("online", run, { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    report("");
  });
  run();
  return run;
}

/** Let a function be called at once, but not more often than this; the last call counts. */
export function throttled(fn, every_ms, signal) {
  let timer = 0;
  let last = -Infinity;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    clearTimeout(timer);
    const wait_ms = Math.max(0, last + every_ms - performance.now());
    timer = setTimeout(() => {
      last = performance.now();
      fn();
    }, wait_ms);
  };
}
