/** Lets only admins see a view; others are told why there is nothing. */

import { h } from "../dom.js";
import { isAdmin } from "../session.js";

/** @param {import("../router.js").View} view */
export const forAdmins = (view) => (visit) => (isAdmin() ? view(visit) : notYours());

function notYours() {
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Not yours"),
    h("p", { class: "lead" }, "Only an admin may see this page. Your own work is on the list."),
    h("p", {}, h("a", { href: "/", class: "button" }, "Go to my tasks")),
  );
  return { title: "Not yours", node };
}
