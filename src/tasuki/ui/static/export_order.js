/** What somebody wants exported, as the address of a download and as the order of a task. */

import { call } from "./api.js";
import { once } from "./once.js";
import { user } from "./session.js";
import { store } from "./store.js";

/**
 * @typedef {{dataset: string, format: "csv"|"json"|"ndjson", profile: "data"|"excel",
 *            columns: string[], sort: string[], filters: Record<string, string>,
 *            limit: number|null, filename: string|null, mail_me: boolean}} Order
 */

/**
 * The export that is prepared as a task, after the last order in this tab; `isLarge`: since it
 * was too large to be downloaded into the page.
 *
 * @type {ReturnType<typeof store<{id: string, isLarge: boolean}|null>>}
 */
export const prepared = store(null);

user.watch(() => prepared.set(null));

/** @param {Order} order */
export function downloadPath(order) {
  const { dataset, format, profile, columns, sort, filters, limit, filename } = order;
  const query = new URLSearchParams({ ...filters, format, profile, columns, sort });
  // Compressed, neither its progress nor where to go on could be told.
  query.set("encoding", "identity");
  if (limit !== null) query.set("limit", String(limit));
  if (filename !== null) query.set("filename", filename);
  return `/exports/${encodeURIComponent(dataset)}?${query}`;
}

const send = once(({ dataset, ...body }, key) =>
  call("POST", `/exports/${encodeURIComponent(dataset)}`, { body, key }),
);

/** @param {Order} order */
export async function prepare(order, { isLarge = false } = {}) {
  const task = await send(order);
  prepared.set({ id: task.id, isLarge });
}
