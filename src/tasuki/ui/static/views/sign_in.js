/** Signing in. The address stays, so that one lands where one wanted to go. */

import { post, Problem } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../parts/form.js";
import { notice } from "../parts/notice.js";
import { themeSwitch } from "../parts/theme_switch.js";
import { signedIn, signInNote } from "../session.js";

export function signInView() {
  const username = field({
    label: "Username",
    name: "username",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    maxlength: 64,
  });
  const password = field({
    label: "Password",
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 1000,
  });
  const { node: formNode } = form({
    label: "Sign in",
    fields: [username, password],
    action: "Sign in",
    busy: "Signing in…",
    submit: async () => {
      const body = { username: username.input.value.trim(), password: password.input.value };
      try {
        signedIn(await post("/auth/login", body, { isSignIn: true }));
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          password.input.value = "";
          password.input.focus();
        }
        throw error;
      }
    },
  });
  const note = signInNote.get();
  const node = h(
    "div",
    { class: "sign-in" },
    h("div", { class: "sign-in-sash", "aria-hidden": "true" }),
    h(
      "main",
      { id: "main", class: "sign-in-card" },
      h("img", { src: "/ui/img/logo.svg", alt: "", width: 44, height: 44 }),
      h("h1", { tabindex: "-1" }, "Sign in to Tasuki"),
      h("p", { class: "lead" }, "Background work that people can watch."),
      note ? notice("info", note) : null,
      formNode,
    ),
    h("footer", { class: "sign-in-end" }, themeSwitch()),
  );
  return { title: "Sign in", node, first: username.input };
}
