/** The attempts of a task, told by its events: who took it, and how each one ended. */

import { append, h, icon } from "../dom.js";
import { clock, exact } from "../format.js";
import { isEnded, STATES } from "../words.js";

const MOST = 200; // lines

export function attempts() {
  const list = h("ol", { class: "legs" });
  const about = h("p", { class: "fine" }, "No worker has taken it yet.");
  const node = h(
    "section",
    { class: "panel", "aria-label": "Attempts" },
    h("h2", {}, "Attempts"),
    about,
    list,
  );

  return {
    node,
    /** @param {any} task */
    expect(task) {
      const crashes = task.crash_count ? `, ${task.crash_count} lost to crashes` : "";
      about.textContent = task.attempt
        ? `Attempt ${task.attempt} of at most ${Math.max(task.max_attempts, task.attempt)}${crashes}.`
        : "No worker has taken it yet.";
    },
    /** @param {import("../sse.js").TaskEvent[]} events */
    hear(events) {
      append(list, events.map(line));
      while (list.childElementCount > MOST) list.firstChild.remove();
    },
  };
}

function line(event) {
  const told = words(event);
  if (!told) return null;
  const [tone, picture, text, detail] = told;
  return h(
    "li",
    { "data-tone": tone },
    icon(picture),
    h("span", {}, text, detail ? h("span", { class: "leg-detail" }, detail) : null),
    h("time", { datetime: event.at, title: exact(event.at) }, clock(event.at)),
  );
}

/** @returns {[string, string, string, string?]|null} */
function words({ type, attempt, data }) {
  if (type === "started") {
    return ["run", "run", `Attempt ${attempt} started`, data.worker ? `by ${data.worker}` : ""];
  }
  if (type === "queued") {
    return data.reason
      ? ["warn", "bolt", "Its worker was lost; back in the queue"]
      : ["wait", "queue", "Queued"];
  }
  if (type === "scheduled") return ["wait", "clock", "Scheduled"];
  if (type === "cancelling") return ["warn", "stop", "Asked to stop"];
  if (type === "retrying") {
    return ["warn", "retry", `Attempt ${attempt} failed`, data.error?.message ?? ""];
  }
  if (!isEnded(type)) return null;
  const [word, tone, picture] = STATES[type];
  return [tone, picture, word, ""];
}
