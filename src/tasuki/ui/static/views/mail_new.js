/** Writing one mail, and what became of it. */

import { call, Problem } from "../api.js";
import { append, fill, h } from "../dom.js";
import { MAY_WRITE_TO_ANYBODY, mayUse } from "../mail_words.js";
import { once } from "../once.js";
import { field, form } from "../parts/form.js";
import { mailPreview, whenTyped } from "../parts/mail_preview.js";
import { templateField } from "../parts/template_field.js";
import { user } from "../session.js";
import { mailSent } from "./mail_sent.js";

const LONGEST_SUBJECT = 500;
const WAYS = {
  local: {
    path: "/tasks/send-email/",
    body: "content",
    words: "Text, from this web process",
    about: "Also where no worker runs. For mails that somebody waits for.",
  },
  io: {
    path: "/tasks/send-email-celery/",
    body: "html_content",
    words: "HTML, by a worker",
    about: "Waits for its turn among other work. Its text part is made of the HTML.",
  },
};

export function mailNewView({ signal }) {
  const outcome = h("div", {});
  const watched = new AbortController();
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Write a mail"),
    h("p", { class: "lead" }, "To one address. It is tried again while the mail system says “later”."),
    h(
      "div",
      { class: "columns" },
      h("section", { class: "card", "aria-label": "The mail" }, writing(signal, shown)),
      outcome,
    ),
  );
  signal.addEventListener("abort", () => watched.abort());
  let leaving = watched;

  function shown(accepted) {
    leaving.abort();
    leaving = new AbortController();
    fill(outcome, mailSent(accepted, AbortSignal.any([signal, leaving.signal])));
    outcome.scrollIntoView({ block: "nearest" });
  }

  return { title: "Write a mail", node };
}

function writing(signal, sent) {
  const to = toField();
  const subject = field({
    label: "Subject",
    name: "subject",
    required: true,
    maxlength: LONGEST_SUBJECT,
    autocomplete: "off",
  });
  const text = field({
    label: "Text",
    name: WAYS.local.body,
    control: h("textarea", { rows: 9, required: true }),
  });
  const html = field({
    label: "HTML",
    name: WAYS.io.body,
    control: h("textarea", { rows: 9, required: true, spellcheck: "false", class: "code" }),
  });
  const preview = mailPreview();
  whenTyped([html.input], signal, () => preview.show(html.input.value));
  const template = templateField({
    none: "None: the text as it is",
    subject: subject.input,
    content: text.input,
    preview,
    changed: () => arrange(way.chosen()),
    signal,
  });
  const way = wayField((chosen) => arrange(chosen));
  arrange(way.chosen());

  function arrange(chosen) {
    const isHtml = chosen === WAYS.io;
    for (const [one, isShown] of [
      [text, !isHtml],
      [template, !isHtml],
      [html, isHtml],
    ]) {
      one.node.hidden = !isShown;
      one.input.disabled = !isShown; // what is not asked for need not be filled in
    }
    preview.node.hidden = !isHtml && !template.value();
    if (isHtml) preview.show(html.input.value);
  }

  const order = once(({ path, ...body }, key) => call("POST", path, { body, key, signal }));
  const fields = [to, subject, template, text, html];
  return form({
    label: "Write a mail",
    fields,
    content: [
      to.node,
      subject.node,
      way.node,
      template.node,
      text.node,
      html.node,
      preview.node,
    ],
    action: "Send",
    busy: "Ordering…",
    submit: async () => {
      const chosen = way.chosen();
      const words = chosen === WAYS.io ? html : text;
      const body = { to_email: to.input.value.trim(), subject: subject.input.value };
      if (chosen === WAYS.local && template.value()) body.template = template.value();
      try {
        sent(await order({ path: chosen.path, ...body, [chosen.body]: words.input.value }));
      } catch (error) {
        throw error instanceof Problem ? atField(error) : error;
      }
    },
  }).node;
}

function toField() {
  const isFree = mayUse(MAY_WRITE_TO_ANYBODY);
  const { email, email_verified: isVerified } = user.get();
  const to = field({
    label: "To",
    name: "to_email",
    type: "email",
    required: true,
    maxlength: 320,
    autocomplete: "off",
    spellcheck: "false",
    value: isFree ? "" : email,
    readonly: !isFree,
    hint: isFree ? null : h("span", {}, ownAddressWords(isVerified)),
  });
  // A browser knows fewer addresses than there are: 山田@例え.jp is one.
  if (isFree) to.input.setAttribute("type", "text");
  return to;
}

function ownAddressWords(isVerified) {
  const others = " To others needs the right email:any.";
  if (isVerified) return `Your own address.${others}`;
  return [
    "Your own address, once you have shown that it is yours: ",
    h("a", { href: "/account" }, "verify it on your account's page"),
    `.${others}`,
  ];
}

/** A small choice with a line about each. */
function wayField(changed) {
  const names = Object.keys(WAYS);
  const radios = names.map((name, index) =>
    h("input", { type: "radio", name: "way", value: name, checked: index === 0 }),
  );
  const chosen = () => WAYS[radios.find((radio) => radio.checked).value];
  const node = h(
    "fieldset",
    { class: "export-forms", onchange: () => changed(chosen()) },
    h("legend", {}, "How"),
    names.map((name, index) =>
      h(
        "label",
        {},
        radios[index],
        append(h("span", {}), [
          h("strong", {}, WAYS[name].words),
          h("span", { class: "fine" }, WAYS[name].about),
        ]),
      ),
    ),
  );
  return { node, chosen };
}

/** Say which field it is about, where only the words tell. */
function atField(problem) {
  if (problem.errors.length > 0) return problem;
  const isTo = problem.status === 403 || /no mail address|was written to/.test(problem.message);
  const starts = ["subject", "template"].find((one) => problem.message.startsWith(one));
  const name = isTo ? "to_email" : (starts ?? "");
  if (name) problem.errors = [{ loc: ["body", name], msg: problem.message }];
  return problem;
}
