/** The account: who one is, the password, where one is signed in, keys for programs. */

import { post } from "../api.js";
import { h } from "../dom.js";
import { announce } from "../parts/announce.js";
import { field, form } from "../parts/form.js";
import { notice } from "../parts/notice.js";
import { when } from "../format.js";
import { user } from "../session.js";
import { sessionsPanel } from "./sessions.js";
import { tokensPanel } from "./tokens.js";

export function accountView({ signal }) {
  const me = user.get();
  const sessions = sessionsPanel(signal);
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Account"),
    h(
      "div",
      { class: "columns even" },
      h("div", {}, whoPanel(me), passwordPanel(me, signal, sessions.load)),
      h("div", {}, tokensPanel(signal), sessions.node),
    ),
  );
  return { title: "Account", node };
}

function whoPanel(me) {
  const scopes = me.role === "admin" ? "everything" : me.scopes.join(", ") || "the common things";
  const rows = [
    ["Number", me.id],
    ["Username", me.username],
    ["Name", me.name || "–"],
    ["Email", me.email],
    ["Role", me.role],
    ["May do", scopes],
    ["Since", when(me.created_at)],
  ];
  return h(
    "section",
    { class: "panel", "aria-label": "You" },
    h("h2", {}, "You"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}

function passwordPanel(me, signal, changed) {
  const password = (spec) => field({ type: "password", required: true, maxlength: 128, ...spec });
  const old = password({
    label: "Present password",
    name: "old",
    autocomplete: "current-password",
  });
  const fresh = password({
    label: "New password",
    name: "new",
    autocomplete: "new-password",
    minlength: 8,
    hint: "8 to 128 characters of any kind. Your other browsers are signed out.",
  });
  const again = password({
    label: "New password again",
    name: "again",
    autocomplete: "new-password",
  });
  const check = () => {
    const differs = again.input.value !== fresh.input.value;
    again.input.setCustomValidity(differs ? "The two are not the same." : "");
  };
  for (const one of [fresh, again]) one.input.addEventListener("input", check);
  const { node, place } = form({
    label: "Change the password",
    fields: [old, fresh, again],
    action: "Change the password",
    busy: "Changing…",
    submit: async () => {
      await post(
        "/auth/password",
        { old: old.input.value, new: fresh.input.value },
        { signal, isSignIn: true },
      );
      for (const one of [old, fresh, again]) one.input.value = "";
      again.input.setCustomValidity("");
      place.append(notice("ok", "The password is changed."));
      announce("The password is changed.");
      await changed();
    },
  });
  // Password managers look for the name that belongs to it.
  const name = h("input", {
    type: "text",
    autocomplete: "username",
    value: me.username,
    readonly: true,
    class: "visually-hidden",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  node.prepend(name);
  return h("section", { class: "panel", "aria-label": "Password" }, h("h2", {}, "Password"), node);
}
