/** A long list, one page at a time; the page that is shown stays true. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { keyed } from "./keyed.js";
import { polled } from "./polled.js";

const PAGE = 25;

/**
 * @template T
 * @param {{path: string, wanted: () => Record<string, string>, table: HTMLElement,
 *          body: HTMLElement, key?: (item: T) => string,
 *          make: (item: T) => {node: HTMLElement, update: (item: T) => void},
 *          none: () => HTMLElement, every_ms: (items: T[]) => number, signal: AbortSignal}} spec
 *   `wanted` are the filters as they are now; `none` is shown in place of an empty table
 */
export function paged({ path, wanted, table, body, make, none, every_ms, signal, ...rest }) {
  const { key = (item) => item.id } = rest;
  const showRows = keyed(body, { key, make });
  const place = h("div", {});
  const step = (words, onclick) =>
    h("button", { type: "button", class: "button small", onclick }, words);
  const back = step("Previous page", () => turnTo(starts.slice(0, -1)));
  const on = step("Next page", () => turnTo([...starts, next]));
  let starts = [null]; // the cursors of this page and of those before it
  let next = null;
  let turn = 0; // an answer to an earlier question is dropped

  function turnTo(cursors) {
    starts = cursors;
    turn += 1;
    state.refresh();
  }

  async function load() {
    const query = new URLSearchParams({ limit: PAGE, ...wanted() });
    if (starts.at(-1)) query.set("cursor", starts.at(-1));
    const asked = turn;
    return { asked, page: await get(`${path}?${query}`, { signal }) };
  }

  function show({ asked, page }) {
    if (asked !== turn) return;
    next = page.next;
    showRows(page.items);
    const isEmpty = page.items.length === 0;
    table.hidden = isEmpty;
    place.replaceChildren(...(isEmpty ? [none()] : []));
    back.hidden = starts.length === 1;
    on.hidden = !next;
  }

  for (const one of [table, back, on]) one.hidden = true;
  const pause = ({ asked, page }) => (asked === turn ? every_ms(page.items) : 0);
  const state = polled({ load, show, every_ms: pause, signal });
  return {
    node: h(
      "div",
      {},
      state.node,
      place,
      table,
      h("div", { class: "actions middle" }, back, on),
    ),
    /** Ask at once. */
    refresh: state.refresh,
    /** The filters have changed: begin with the first page. */
    restart: () => turnTo([null]),
  };
}
