/** Talks to `/api/v1`: JSON out, JSON or a `Problem` (RFC 9457) back. */

import { noteServerTime } from "./format.js";
import { sessionEnded } from "./session.js";

const ROOT = "/api/v1";
const TIMEOUT_MS = 20_000;

/** What went wrong, as the server said it, or as the network let us guess. */
export class Problem extends Error {
  /** @param {{status: number, code: string, title: string, detail: string, error_id?: string,
   *           errors?: {loc: (string|number)[], msg: string}[], retryAfter?: number|null}} told */
  constructor(told) {
    super(told.detail || told.title);
    this.name = "Problem";
    this.status = told.status;
    this.code = told.code;
    this.title = told.title;
    this.errorId = told.error_id ?? null;
    this.errors = told.errors ?? [];
    this.retryAfter = told.retryAfter ?? null;
  }

  /** Whether the same call may succeed a little later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * @param {"GET"|"POST"|"PATCH"|"DELETE"} method
 * @param {string} path below `/api/v1`
 * @param {{body?: any, key?: string, signal?: AbortSignal, isSignIn?: boolean}} [options]
 *   `key` is the Idempotency-Key; with `isSignIn` a 401 is an answer, not the session's end
 * @returns {Promise<any>} the JSON, or null where the answer has no body
 */
export async function call(method, path, { body, key, signal, isSignIn = false } = {}) {
  const headers = { Accept: "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: withTimeout(signal),
  };
  const response = await answer(path, init, { signal, isSignIn });
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(error); // it broke off, or came too slowly
  }
}

/**
 * Begin to fetch what is read as it comes. The answer may take long, and so may what follows.
 *
 * @param {string} path below `/api/v1`
 * @param {{headers?: Record<string, string>, signal: AbortSignal}} options
 * @returns {Promise<Response>} a good one
 */
export function open(path, { headers = {}, signal }) {
  return answer(path, { headers, signal, cache: "no-store" }, { signal, isSignIn: false });
}

async function answer(path, init, { signal, isSignIn }) {
  let response;
  try {
    response = await fetch(ROOT + path, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(error);
  }
  noteServerTime(response.headers.get("Date"));
  if (response.ok) return response;
  const problem = await read(response);
  if (problem.status === 401 && !isSignIn) sessionEnded();
  throw problem;
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { ...options, body });
export const patch = (path, body, options) => call("PATCH", path, { ...options, body });
export const remove = (path, options) => call("DELETE", path, options);

/** The address of a task's file, for a link. */
export const resultHref = (id) => `${ROOT}/tasks/${encodeURIComponent(id)}/result`;

/** The address of the file of an export, for a link. */
export const exportHref = (id) => `${ROOT}/exports/runs/${encodeURIComponent(id)}/file`;

/** The address of a caught mail as it came, for a link. */
export const caughtRawHref = (id) => `${ROOT}/mail/caught/${encodeURIComponent(id)}/raw`;

/** The address of a caught mail's HTML, for a frame. */
export const caughtFrameHref = (id) => `${ROOT}/mail/caught/${encodeURIComponent(id)}/html`;

/** The address of a task's live events. */
export const eventsHref = (id) => `${ROOT}/tasks/${encodeURIComponent(id)}/events`;

/** The address of a batch's live numbers. */
export const batchEventsHref = (id) => `${ROOT}/batches/${encodeURIComponent(id)}/events`;

/** The address of the live events of channels, from after the event of an id. */
export function streamHref(channels, id) {
  const query = new URLSearchParams(channels.map((name) => ["channel", name]));
  if (id) query.set("last_event_id", id);
  return `${ROOT}/events/stream?${query}`;
}

/** The address of a room's socket. */
export function roomSocketHref(name) {
  const site = window.location.origin.replace(/^http/, "ws");
  return `${site}${ROOT}/ws/chat/${encodeURIComponent(name)}`;
}

function withTimeout(signal) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

async function read(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/problem+json")) {
    try {
      return new Problem({ ...(await response.json()), retryAfter });
    } catch {
      // Cut off on the way; what follows says as much as we know.
    }
  }
  return new Problem({
    status: response.status,
    code: "unknown",
    title: "Unexpected answer",
    detail: `The server answered ${response.status} without saying why.`,
    retryAfter,
  });
}

function unreachable(error) {
  const isSlow = error?.name === "TimeoutError";
  return new Problem({
    status: 0,
    code: "unreachable",
    title: isSlow ? "No answer" : "Not connected",
    detail: isSlow
      ? "The server did not answer in time. Try again."
      : "The server cannot be reached. Check the connection and try again.",
  });
}
