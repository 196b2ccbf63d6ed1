/** What may be done with a task: cancel it, or order it again. */

import { call, post } from "../api.js";
import { h, icon } from "../dom.js";
import { confirm } from "../parts/confirm.js";
import { guarded } from "../parts/notice.js";
import { canCancel, canReplay } from "../words.js";

/**
 * @param {string} id
 * @param {{signal: AbortSignal, go: (path: string) => void}} on
 */
export function taskButtons(id, { signal, go }) {
  const fault = h("div", { class: "cancel-fault" });
  let isBusy = false;

  const once = (run) => async () => {
    if (isBusy) return;
    isBusy = true;
    try {
      await guarded(fault, signal, run);
    } finally {
      isBusy = false;
    }
  };
  const cancel = button(
    "danger-quiet",
    "stop",
    "Cancel task",
    once(async () => {
      // The answer may be older than what the live events have shown by now; they tell of the rest.
      if (await ask()) await call("POST", `/tasks/${id}/cancel`, { signal });
    }),
  );
  const replay = button(
    "",
    "retry",
    "Replay",
    once(async () => {
      const again = await post(`/tasks/${id}/replay`, undefined, { signal });
      go(`/tasks/${again.id}`);
    }),
  );

  function offer(node, isOffered) {
    if (!isOffered && document.activeElement === node) document.querySelector("h1").focus();
    node.hidden = !isOffered;
  }

  return {
    node: h("div", { class: "cancel" }, cancel, replay, fault),
    show(task) {
      offer(cancel, canCancel(task.state));
      offer(replay, canReplay(task.state));
    },
  };
}

function button(className, picture, text, onclick) {
  return h(
    "button",
    { type: "button", class: `button ${className}`, onclick },
    icon(picture),
    text,
  );
}

function ask() {
  return confirm({
    title: "Cancel this task?",
    text: "It stops at its next step. What it has done so far is not undone.",
    yes: "Cancel the task",
    no: "Keep it",
  });
}
