/** Forms: fields with their labels and faults, and a submit that happens once. */

import { Problem } from "../api.js";
import { append, fill, freshId, h, setAttr, setText } from "../dom.js";
import { problemNotice } from "./notice.js";

/**
 * A field with its label, hint and place for a fault.
 *
 * @param {{label: string, name: string, hint?: any, control?: HTMLElement,
 *          beside?: any} & Record<string, any>} spec other names become attributes of the input
 */
export function field({ label, name, hint, control, beside, ...attributes }) {
  const id = freshId(name);
  const input = control ?? h("input", attributes);
  const fault = h("p", { class: "fault", id: `${id}-fault` });
  const hintNode = hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  setAttr(input, "id", id);
  setAttr(input, "name", name);
  const describedBy = () => {
    const ids = [hintNode?.id, fault.textContent ? fault.id : null].filter(Boolean).join(" ");
    setAttr(input, "aria-describedby", ids || null);
  };
  describedBy();
  const setFault = (message) => {
    setText(fault, message);
    setAttr(input, "aria-invalid", message ? "true" : null);
    describedBy();
  };
  input.addEventListener("input", () => setFault(""));
  return {
    name,
    input,
    setFault,
    node: h(
      "div",
      { class: "field" },
      h("label", { for: id }, label),
      input,
      beside,
      hintNode,
      fault,
    ),
  };
}

/**
 * A form. While a submit is under way another one is ignored; faults of single fields are shown
 * beside them, all others above the button.
 *
 * @param {{fields: ReturnType<typeof field>[], content?: any, action: string, busy: string,
 *          submit: () => Promise<void>, label: string, className?: string,
 *          also?: {action: string, busy: string, submit: () => Promise<void>}}} spec
 *   `content` is shown in place of the bare fields; `also` is a second way to submit
 * @returns {{node: HTMLElement, place: HTMLElement, rename: (action: string) => void}} `rename`
 *   says that the first button now does something else
 */
export function form({ fields, content, action, busy, submit, also, label, className = "" }) {
  const place = h("div", { class: "form-problem" });
  const button = h("button", { type: "submit", class: "button primary" }, action);
  const second =
    also &&
    h(
      "button",
      { type: "button", class: "button", onclick: () => tried(second, also) },
      also.action,
    );
  let isBusy = false;

  const tried = (pressed, how) => isComplete(fields) && void send(pressed, how);

  async function send(pressed, { action: words, busy: busyWords, submit: run }) {
    if (isBusy) return;
    isBusy = true;
    fill(place);
    for (const one of fields) one.setFault("");
    setAttr(pressed, "aria-disabled", "true");
    setText(pressed, busyWords);
    try {
      await run();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      showProblem(error, fields, place);
    } finally {
      isBusy = false;
      setAttr(pressed, "aria-disabled", null);
      setText(pressed, pressed === button ? action : words);
    }
  }

  const node = h("form", {
    class: `form ${className}`,
    "aria-label": label,
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      tried(button, { action, busy, submit });
    },
  });
  const buttons = h("div", { class: "actions" }, button, second);
  append(node, [content ?? fields.map((one) => one.node), place, buttons]);
  const rename = (words) => {
    action = words;
    if (!isBusy) setText(button, action);
  };
  return { node, place, rename };
}

/** Say beside each field what its own rules find wrong; the first one gets the focus. */
function isComplete(fields) {
  const wrong = fields.filter(({ input, setFault }) => {
    setFault(input.validationMessage);
    return Boolean(input.validationMessage);
  });
  wrong[0]?.input.focus();
  return wrong.length === 0;
}

function showProblem(problem, fields, place) {
  const homeless = [];
  const wrong = [];
  for (const { loc, msg } of problem.errors) {
    const home = fields.find((one) => one.name === loc[1]);
    if (!home) homeless.push(msg);
    else {
      home.setFault(sentence(msg));
      wrong.push(home);
    }
  }
  if (wrong.length > 0) wrong[0].input.focus();
  if (wrong.length === 0 || homeless.length > 0) append(place, [problemNotice(problem)]);
}

function sentence(text) {
  const plain = text.replace(/^Value error, /, "");
  const start = plain.charAt(0).toUpperCase() + plain.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
