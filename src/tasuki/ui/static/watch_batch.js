/** Follows the numbers of one batch; the newest say all, so nothing is lost with a connection. */

import { batchEventsHref, get } from "./api.js";
import { reporter } from "./connection.js";
import { backoff } from "./live.js";

const HIDDEN_AFTER_MS = 30_000; // as of watch.js: a hidden page gives its connection back

/**
 * Watch a batch until all its tasks have ended.
 *
 * @param {string} id
 * @param {{batch: (batch: any) => void, gone: (error: Error) => void}} on
 * @param {AbortSignal} signal
 */
export function watchBatch(id, on, signal) {
  const report = reporter();
  let source = null;
  let timer = 0;
  let failures = 0;
  let isOver = false;

  function show(batch) {
    on.batch(batch);
    if (batch.finished_at) end();
  }

  function end() {
    isOver = true;
    close("");
  }

  function close(state) {
    clearTimeout(timer);
    source?.close();
    source = null;
    report(state);
  }

  function open() {
    clearTimeout(timer);
    if (isOver || signal.aborted) return;
    source?.close();
    source = new EventSource(batchEventsHref(id));
    source.addEventListener("open", () => {
      failures = 0;
      report("live");
    });
    for (const kind of ["snapshot", "progress", "completed"]) {
      source.addEventListener(kind, (event) => show(JSON.parse(event.data).data));
    }
    source.addEventListener("error", (event) => failed(event.target));
  }

  function failed(lost) {
    if (lost !== source || isOver) return;
    report("reconnecting");
    if (lost.readyState !== EventSource.CLOSED) return; // it comes back by itself
    source = null;
    timer = setTimeout(() => void again(), backoff(failures));
    failures += 1;
  }

  async function again() {
    try {
      show(await get(`/batches/${id}`, { signal })); // says why, where it is not the network
    } catch (error) {
      if (signal.aborted) return;
      if (!error.isPassing) {
        end();
        on.gone(error);
        return;
      }
    }
    open();
  }

  function turned() {
    if (isOver) return;
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => close("paused"), HIDDEN_AFTER_MS);
    else if (!source) open();
  }

  document.addEventListener("visibilitychange", turned, { signal });
  window.addEventListener("online", () => source || open(), { signal });
  signal.addEventListener("abort", () => close(""));
  open();
}
