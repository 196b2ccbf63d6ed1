/** Names of users, for admins; each is asked for once. */

import { get } from "../api.js";
import { user } from "../session.js";
import { setText } from "../dom.js";

let known = new Map();

// Another user signed in: what the one before could see is forgotten.
user.watch(() => {
  known = new Map();
});

/** @returns {Promise<{id: number, username: string, name: string}>} */
export function person(id) {
  if (id === user.get()?.id) return Promise.resolve(user.get());
  if (!known.has(id)) {
    const asked = get(`/users/${id}`);
    asked.catch(() => known.delete(id));
    known.set(id, asked);
  }
  return known.get(id);
}

/** Write whose a task is; the number until the name is known. */
export function setOwner(node, id) {
  if (node.dataset.owner === String(id)) return;
  node.dataset.owner = String(id);
  if (id === null) {
    setText(node, "the system");
    return;
  }
  setText(node, `user ${id}`);
  person(id).then(
    (who) => node.dataset.owner === String(id) && setText(node, who.username),
    () => {}, // the number stays
  );
}
