/** The page of one thing that an address names by its id: loading, not there, or what it is. */

import { get, Problem } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { ID } from "../words.js";
import { notice, problemNotice } from "./notice.js";

const AGAIN_MS = 3_000;

/**
 * @param {import("../router.js").Visit} visit
 * @param {{title: string, missing: string, path: string}} about where the API has such things, and
 *   what to say if it has not got this one
 * @param {(first: any, page: {heading: HTMLElement, place: HTMLElement,
 *          lost: (error: Error) => void}) => void} begin called once it was read
 */
export function opened({ params, signal }, { title, missing, path }, begin) {
  const heading = h("h1", { tabindex: "-1" }, title);
  const place = h("div", {}, h("p", { class: "loading", role: "status" }, "Loading…"));
  const node = h(
    "div",
    { class: "view" },
    h("p", { class: "crumb" }, h("a", { href: "/" }, icon("back"), "All tasks")),
    heading,
    place,
  );
  const lost = (problem) => fill(place, problemNotice(problem));

  async function open() {
    let first;
    try {
      first = await get(`${path}/${params.id}`, { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      lost(error);
      if (error.isPassing) setTimeout(() => signal.aborted || void open(), AGAIN_MS);
      return;
    }
    begin(first, { heading, place, lost });
  }

  if (ID.test(params.id)) void open();
  else fill(place, notice("bad", h("strong", {}, "Not found"), h("p", {}, missing)));
  return { title, node };
}
