/** Writing to many: whom, what, a look at it, and a clear question before it is ordered. */

import { call, Problem } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { number } from "../format.js";
import { MAY_SEND_TO_MANY, mayUse } from "../mail_words.js";
import { once } from "../once.js";
import { confirm } from "../parts/confirm.js";
import { field, form } from "../parts/form.js";
import { mailPreview, whenTyped } from "../parts/mail_preview.js";
import { notice } from "../parts/notice.js";
import { templateField } from "../parts/template_field.js";
import { countOf, recipientsField } from "./recipients_field.js";

const LONGEST_SUBJECT = 500;
const BACK = { href: "/mail/sendings", words: "Mails to many" };

/**
 * @param {import("../router.js").Visit} visit
 * @param {(path: string) => void} go
 */
export function sendingNewView({ signal }, go) {
  const node = h(
    "div",
    { class: "view" },
    h("p", { class: "crumb" }, h("a", { href: BACK.href }, icon("back"), BACK.words)),
    h("h1", { tabindex: "-1" }, "Write to many"),
    h(
      "p",
      { class: "lead" },
      "Each address gets a mail of its own, with a link to get no more of them.",
    ),
    mayUse(MAY_SEND_TO_MANY) ? new Desk(signal, go).node : notAllowed(),
  );
  return { title: "Write to many", node };
}

function notAllowed() {
  return notice(
    "info",
    h("strong", {}, "Not for you yet"),
    h("p", {}, "It needs the right ", h("code", {}, MAY_SEND_TO_MANY), ". An admin can give it."),
  );
}

class Desk {
  constructor(signal, go) {
    this.signal = signal;
    this.go = go;
    this.list = recipientsField();
    this.subject = field({
      label: "Subject",
      name: "subject",
      required: true,
      maxlength: LONGEST_SUBJECT,
      autocomplete: "off",
    });
    this.html = field({
      label: "HTML",
      name: "html_content",
      control: h("textarea", { rows: 12, required: true, spellcheck: "false", class: "code" }),
    });
    this.text = field({
      label: "Text (optional)",
      name: "text_content",
      hint: "For those who read no HTML; made of the HTML if it is empty.",
      control: h("textarea", { rows: 5 }),
    });
    this.content = field({
      label: "Text",
      name: "content",
      control: h("textarea", { rows: 9, required: true }),
    });
    this.preview = mailPreview();
    whenTyped([this.html.input], signal, () => this.preview.show(this.html.input.value));
    this.template = templateField({
      none: "None: HTML of your own",
      subject: this.subject.input,
      content: this.content.input,
      preview: this.preview,
      changed: () => this.#arrange(),
      signal,
    });
    this.#arrange();
    this.faults = h("div", {});
    this.order = once((body, key) =>
      call("POST", "/tasks/send-bulk-email/", { body, key, signal: this.signal }),
    );
    this.list.input.addEventListener("input", () => fill(this.faults));
    const fields = [
      this.list,
      this.subject,
      this.template,
      this.content,
      this.html,
      this.text,
    ];
    const made = form({
      label: "Write to many",
      fields,
      content: this.#content(),
      action: "Send to all of them…",
      busy: "Asking…",
      submit: () => this.#send(false, this.list.lines().length),
    });
    this.node = made.node;
    this.place = made.place;
  }

  /** Ask for what the chosen way needs, and for nothing else. */
  #arrange() {
    const isMade = Boolean(this.template.value());
    for (const one of [this.html, this.text, this.content]) {
      one.node.hidden = isMade !== (one === this.content);
      one.input.disabled = one.node.hidden;
    }
    if (!isMade) this.preview.show(this.html.input.value);
  }

  async #words() {
    if (!this.template.value()) {
      return {
        subject: this.subject.input.value,
        html_content: this.html.input.value,
        text_content: this.text.input.value.trim() ? this.text.input.value : null,
      };
    }
    const { subject, html, text } = await this.template.made();
    return { subject, html_content: html, text_content: text };
  }

  #content() {
    return h(
      "div",
      { class: "columns even" },
      h(
        "section",
        { class: "panel", "aria-label": "To whom" },
        h("h2", {}, "To whom"),
        this.list.node,
        this.faults,
      ),
      h(
        "section",
        { class: "panel", "aria-label": "What" },
        h("h2", {}, "What"),
        this.subject.node,
        this.template.node,
        this.content.node,
        this.html.node,
        this.preview.node,
        this.text.node,
      ),
    );
  }

  /** Ask, order, and show the sending; what the server refuses is shown by its lines. */
  async #send(isWithout, count, left = 0) {
    fill(this.faults);
    const lines = this.list.lines();
    const words = await this.#words();
    if (!(await this.#isSure(words.subject, count, left))) return;
    try {
      const { batch_id: id } = await this.order({
        email_list: lines.map(({ email }) => email),
        ...words,
        skip_faulty: isWithout,
      });
      this.go(`/mail/sendings/${id}`);
    } catch (error) {
      const refused = refusedOf(error, lines);
      if (refused.length === 0) throw error;
      this.#showRefused(refused, totalOf(error, refused), lines.length);
    }
  }

  #isSure(subject, count, left) {
    return confirm({
      title: `Write to ${countOf(count)}?`,
      text: [
        h("strong", {}, subject),
        left ? ` goes to ${number(count)}; ${number(left)} are left out.` : " goes to each of them.",
        " You can pause it and cancel what has not been sent.",
      ],
      yes: `Send ${number(count)} ${count === 1 ? "mail" : "mails"}`,
      no: "Not now",
      tone: "primary",
    });
  }

  #showRefused(refused, total, given) {
    const without = h(
      "button",
      { type: "button", class: "button", onclick: () => void this.#leaveOut(given - total, total) },
      total === 1 ? "Leave it out" : `Leave the ${number(total)} out`,
    );
    const more = total - refused.length;
    fill(
      this.faults,
      notice(
        "bad",
        h("strong", {}, `${countOf(total)} cannot be written to; nothing was ordered`),
        h(
          "ol",
          { class: "refused" },
          refused.map(({ line, email, why }) =>
            h(
              "li",
              {},
              h("span", { class: "refused-line" }, `line ${number(line)}`),
              h("span", {}, h("code", {}, email), ` ${why}`),
            ),
          ),
        ),
        more > 0 && h("p", {}, `and ${number(more)} more`),
        given > total && h("p", { class: "actions" }, without),
      ),
    );
    without.focus();
  }

  async #leaveOut(count, left) {
    try {
      await this.#send(true, count, left);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      fill(this.place, notice("bad", h("strong", {}, error.title), h("p", {}, error.message)));
    }
  }
}

/** The lines that the server refuses, as far as it names them. */
function refusedOf(error, lines) {
  if (!(error instanceof Problem)) return [];
  return error.errors
    .filter(({ loc }) => loc[1] === "email_list" && typeof loc[2] === "number")
    .map(({ loc, msg }) => ({ ...lines[loc[2]], why: because(msg, lines) }));
}

/** How many it refuses; it names the first hundred. */
function totalOf(error, refused) {
  return Number(/^email_list: (\d+) of them/.exec(error.message)?.[1] ?? refused.length);
}

/** Its places count from nought and leave out empty lines; people count lines. */
function because(msg, lines) {
  const same = /^the same as \[(\d+)\]$/.exec(msg);
  return same ? `is the same as on line ${number(lines[Number(same[1])].line)}` : msg.replace(/^'.*?' /, "");
}
