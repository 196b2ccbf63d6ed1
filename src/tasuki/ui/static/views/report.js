/** Ordering a report. */

import { call } from "../api.js";
import { h, setText } from "../dom.js";
import { once } from "../once.js";
import { field, form } from "../parts/form.js";
import { mailMe } from "../parts/mail_me.js";
import { person } from "../parts/people.js";
import { isAdmin } from "../session.js";

const PERIODS = [7, 30, 90, 365];

/**
 * @param {import("../router.js").Visit} visit `?days=&timezone=&language=` fill the form
 * @param {(path: string) => void} go
 */
export function reportView({ query, signal }, go) {
  const days = daysField(query.get("days") ?? "30");
  const timezone = field({
    label: "Time zone",
    name: "timezone",
    list: "zones",
    value: query.get("timezone") ?? ownZone(),
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    hint: "Where a day begins and ends, e.g. Asia/Tokyo.",
  });
  const language = field({
    label: "Language",
    name: "language",
    control: h(
      "select",
      {},
      h("option", { value: "en" }, "English"),
      h("option", { value: "ja", lang: "ja" }, "日本語 (Japanese)"),
    ),
  });
  language.input.value = query.get("language") === "ja" ? "ja" : "en";
  const subject = isAdmin() ? subjectField(query.get("user_id") ?? "") : null;
  const told = mailMe("Mail me when it is done");
  const fields = [days, timezone, language, subject, told].filter(Boolean);
  const order = once((body, key) =>
    call("POST", "/tasks/generate-report/", { body, key, signal }),
  );
  const { node: formNode } = form({
    label: "Order a report",
    className: "card",
    fields,
    action: "Order the report",
    busy: "Ordering…",
    submit: async () => {
      const { task_id: id } = await order(bodyOf({ days, timezone, language, subject, told }));
      go(`/tasks/${id}`);
    },
  });
  const node = h(
    "div",
    { class: "view narrow" },
    h("h1", { tabindex: "-1" }, "Order a report"),
    h(
      "p",
      { class: "lead" },
      "A PDF with what you did in a period, day by day. You can watch it being made.",
    ),
    formNode,
    h(
      "datalist",
      { id: "zones" },
      zones().map((zone) => h("option", { value: zone })),
    ),
  );
  return { title: "Order a report", node };
}

function bodyOf({ days, timezone, language, subject, told }) {
  const body = {
    days: Number(days.input.value),
    timezone: timezone.input.value.trim(),
    language: language.input.value,
  };
  const id = subject?.input.value.trim();
  if (id) body.user_id = Number(id);
  if (told?.input.checked) body.mail_me = true;
  return body;
}

function daysField(value) {
  const choices = PERIODS.map((count) =>
    h(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": `${count} days`,
        onclick: () => {
          days.input.value = String(count);
          days.setFault("");
        },
      },
      String(count),
    ),
  );
  const days = field({
    label: "Days",
    name: "days",
    type: "number",
    min: 1,
    max: 366,
    step: 1,
    required: true,
    value: /^\d{1,3}$/.test(value) ? value : "30",
    inputmode: "numeric",
    beside: h("div", { class: "choices" }, choices),
    hint: "The last days, today included; 1 to 366.",
  });
  days.node.classList.add("with-choices");
  return days;
}

function subjectField(value) {
  const found = h("span", { class: "found", role: "status" });
  const subject = field({
    label: "User id (optional)",
    name: "user_id",
    type: "number",
    min: 1,
    step: 1,
    value: /^\d+$/.test(value) ? value : "",
    inputmode: "numeric",
    beside: found,
    hint: "Whose report; empty for your own. Admins' looks at others are written down.",
  });
  const name = async () => {
    const id = subject.input.value.trim();
    setText(found, "");
    if (!/^[1-9]\d*$/.test(id)) return;
    try {
      const who = await person(Number(id));
      if (subject.input.value.trim() === id)
        setText(found, [who.name, who.username].filter(Boolean).join(" · "));
    } catch {
      if (subject.input.value.trim() === id) setText(found, "There is no such user.");
    }
  };
  subject.input.addEventListener("change", () => void name());
  if (subject.input.value) void name();
  return subject;
}

function ownZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function zones() {
  return ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
}
