/** The account: who one is, the password, where one is signed in, keys for programs. */

import { post, Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { announce } from "../parts/announce.js";
import { field, form } from "../parts/form.js";
import { notice, problemNotice } from "../parts/notice.js";
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
      h("div", {}, whoPanel(me, signal), passwordPanel(me, signal, sessions.load)),
      h("div", {}, tokensPanel(signal), sessions.node),
    ),
  );
  return { title: "Account", node };
}

function whoPanel(me, signal) {
  const scopes = me.role === "admin" ? "everything" : me.scopes.join(", ") || "the common things";
  const rows = [
    ["Number", me.id],
    ["Username", me.username],
    ["Name", me.name || "–"],
    ["Email", [me.email, me.email_verified ? " – verified" : " – not verified"]],
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
    me.email_verified ? null : verifyLine(me, signal),
  );
}

/** Mail goes to an own address only once its owner has shown to read it. */
function verifyLine(me, signal) {
  const told = h("div", {});
  const send = async () => {
    button.disabled = true;
    try {
      const { address } = await post("/mail/verification", undefined, { signal });
      const words = `A link is on its way to ${address}. It works once, for a day.`;
      fill(told, notice("ok", words));
      announce(words);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      fill(told, problemNotice(error));
    } finally {
      button.disabled = false;
    }
  };
  const words = `Send a link to ${me.email}`;
  const button = h("button", { type: "button", class: "button long", onclick: send }, words);
  return h("div", { class: "actions" }, button, told);
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
