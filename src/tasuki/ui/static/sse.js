/** Reads past events of a task. Live ones come through the browser's own EventSource. */

import { eventsHref } from "./api.js";

const TIMEOUT_MS = 10_000;

/** @typedef {{task_id: string, seq: number, type: string, at: string, attempt: number,
 *             data: any}} TaskEvent */

/**
 * Return the events after `since` up to `until`.
 *
 * EventSource begins with a snapshot and cannot ask for what was before it. The stream itself
 * can: it goes on after any `Last-Event-ID`.
 *
 * @param {string} id
 * @param {{epoch: string, since: number, until: number, signal: AbortSignal}} span
 * @returns {Promise<TaskEvent[]>}
 */
export async function readEvents(id, { epoch, since, until, signal }) {
  if (since >= until) return [];
  const enough = new AbortController();
  const response = await fetch(eventsHref(id), {
    headers: { Accept: "text/event-stream", "Last-Event-ID": `${epoch}.${since}` },
    credentials: "same-origin",
    signal: AbortSignal.any([signal, enough.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (response.status !== 200 || !response.body) return [];
  const events = [];
  try {
    for await (const { type, data } of frames(response.body)) {
      if (type === "snapshot") continue;
      const event = JSON.parse(data);
      if (event.seq <= until) events.push(event);
      if (event.seq >= until) break;
    }
  } finally {
    enough.abort();
  }
  return events;
}

/**
 * Split a byte stream into events (WHATWG HTML, 9.2.6), as far as our server writes them.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const frame = parse(block);
      if (frame) yield frame;
    }
  }
}

function parse(block) {
  const frame = { id: "", type: "message", data: "" };
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (field === "id") frame.id = value;
    else if (field === "event") frame.type = value;
    else if (field === "data") data.push(value);
  }
  frame.data = data.join("\n");
  return data.length > 0 ? frame : null;
}
