/** The page of the link in a verification mail. Programs open links too, so only a click acts. */

import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { announce } from "../parts/announce.js";
import { form } from "../parts/form.js";
import { notice } from "../parts/notice.js";
import { user } from "../session.js";

const DONE = "Your mail address is verified.";

export function verifyView({ signal }) {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
  const node = h("div", { class: "view" }, h("h1", { tabindex: "-1" }, "Verify your mail address"));
  if (!token) {
    node.append(notice("bad", "This link is not whole; copy all of it from the mail."));
    return { title: "Verify", node };
  }
  const { node: asked } = form({
    label: "Verify your mail address",
    fields: [],
    action: "This is my address",
    busy: "Verifying…",
    submit: async () => {
      await post("/mail/verify", { token }, { signal, isSignIn: true });
      // It is used up: a reload shall not offer it again.
      window.history.replaceState(null, "", window.location.pathname);
      const me = user.get();
      if (me) me.email_verified = true;
      fill(asked, notice("ok", DONE, " ", h("a", { href: "/account" }, "Go to your account"), "."));
      announce(DONE);
    },
  });
  node.append(asked);
  return { title: "Verify", node };
}
