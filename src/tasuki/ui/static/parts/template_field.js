/** A choice of templates for a mail, and what the chosen one makes of the words. */

import { call, get, Problem } from "../api.js";
import { append, h } from "../dom.js";
import { field } from "./form.js";
import { whenTyped } from "./mail_preview.js";

/** What an order gives a template. */
const GIVEN = ["subject", "content"];

/**
 * @param {{none: string, subject: HTMLInputElement, content: HTMLTextAreaElement,
 *          preview: {show: (html: string) => void}, changed: (name: string) => void,
 *          signal: AbortSignal}} spec
 *   `none` are the words for no template, `content` is the text that is put into one
 */
export function templateField({ none, subject, content, preview, changed, signal }) {
  const select = h("select", {}, h("option", { value: "" }, none));
  const chosen = field({
    label: "Template",
    name: "template",
    control: select,
    hint: "Puts the subject and the text into a form. One that wants more is filled by programs.",
  });
  const made = async () => {
    const body = { subject: subject.value, content: content.value };
    const path = `/mail/templates/${encodeURIComponent(select.value)}/preview`;
    const words = await call("POST", path, { body, signal });
    return { ...words, html: words.html ?? asHtml(words.text) };
  };

  async function look() {
    const name = select.value;
    if (!name) return;
    try {
      const { html } = await made();
      chosen.setFault("");
      if (select.value === name) preview.show(html);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      chosen.setFault(error.message);
    }
  }

  select.addEventListener("change", () => {
    changed(select.value);
    void look();
  });
  whenTyped([subject, content], signal, () => void look());
  void offer(select, chosen, signal);
  return { ...chosen, made, value: () => select.value };
}

async function offer(select, chosen, signal) {
  try {
    append(select, (await get("/mail/templates", { signal })).map(option));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    chosen.setFault(`The templates cannot be listed: ${error.message}`);
  }
}

function option({ name, variables, problem }) {
  const more = variables.filter((one) => !GIVEN.includes(one));
  const why = problem ? "broken" : more.length > 0 ? `wants ${more.join(", ")}` : "";
  return h("option", { value: name, disabled: Boolean(why) }, why ? `${name} (${why})` : name);
}

function asHtml(text) {
  return h("div", {}, h("pre", {}, text)).innerHTML;
}
