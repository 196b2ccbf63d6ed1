/** The page of one thing that an address names: loading, not there, or what it is. */

import { get, Problem } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { ID } from "../words.js";
import { notice, problemNotice } from "./notice.js";

const AGAIN_MS = 3_000;
const TASKS = { href: "/", words: "All tasks" };

/**
 * @param {import("../router.js").Visit} visit
 * @param {{title: string, missing: string, path: string, key?: string, isKey?: RegExp,
 *          back?: {href: string, words: string}}} about where the API has such things, what to
 *   say if it has not got this one, its key there (an id) and how keys look, where all are listed
 * @param {(first: any, page: {heading: HTMLElement, place: HTMLElement,
 *          lost: (error: Error) => void}) => void} begin called once it was read
 */
export function opened({ params, signal }, about, begin) {
  const { title, missing, path, key = params.id, isKey = ID, back = TASKS } = about;
  const heading = h("h1", { tabindex: "-1" }, title);
  const place = h("div", {}, h("p", { class: "loading", role: "status" }, "Loading…"));
  const node = h(
    "div",
    { class: "view" },
    h("p", { class: "crumb" }, h("a", { href: back.href }, icon("back"), back.words)),
    heading,
    place,
  );
  const lost = (problem) => fill(place, problemNotice(problem));

  async function open() {
    let first;
    try {
      first = await get(`${path}/${key}`, { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      lost(error);
      if (error.isPassing) setTimeout(() => signal.aborted || void open(), AGAIN_MS);
      return;
    }
    begin(first, { heading, place, lost });
  }

  if (isKey.test(key)) void open();
  else fill(place, notice("bad", h("strong", {}, "Not found"), h("p", {}, missing)));
  return { title, node };
}
