/** Who is signed in, and the news that this has changed. */

import { store } from "./store.js";

/** @typedef {{id: number, username: string, name: string, email: string,
 *             email_verified: boolean, role: "user"|"admin",
 *             scopes: string[], created_at: string}} User */

/** @type {ReturnType<typeof store<User|null|undefined>>} undefined: not known yet */
export const user = store(undefined);

/** What the sign-in page says first: why the reader is there again. */
export const signInNote = store("");

// Signing in or out in one tab is seen by the others.
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("tasuki.session") : null;

export function isAdmin() {
  return user.get()?.role === "admin";
}

/** @param {User} who */
export function signedIn(who) {
  signInNote.set("");
  user.set(who);
  tabs?.postMessage({ user: who.id });
}

export function signedOut() {
  signInNote.set("You are signed out.");
  user.set(null);
  tabs?.postMessage({ user: null });
}

/** The server does not know us any more. */
export function sessionEnded() {
  if (user.get()) signInNote.set("Your session has ended. Sign in to go on where you were.");
  user.set(null);
}

/** Calls `fn` when another tab signed in as somebody else, or out. */
export function onOtherTab(fn) {
  tabs?.addEventListener("message", (event) => {
    if ((user.get()?.id ?? null) !== event.data?.user) fn();
  });
}
