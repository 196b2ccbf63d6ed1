/** A task's record in full, for those who need to know. */

import { fill, h, setText } from "../dom.js";
import { setWhen, when } from "../format.js";
import { copyButton } from "../parts/copy.js";
import { setOwner } from "../parts/people.js";
import { isAdmin } from "../session.js";

const MOST_JSON = 20_000; // characters; a result may have megabytes

export function facts(task) {
  const owner = isAdmin() ? h("span", {}) : null;
  const times = {
    started_at: when(null),
    finished_at: when(null),
    available_at: when(null),
    expires_at: when(null),
  };
  const rows = [
    ["Id", h("code", { class: "id" }, task.id), copyButton(task.id, "the id")],
    ["Name", h("code", {}, task.name)],
    owner && ["Owner", owner],
    ["Queue", `${task.queue}, lane ${task.lane}`],
    task.priority !== 0 && ["Priority", String(task.priority)],
    task.tags.length > 0 && ["Tags", task.tags.map((tag) => h("span", { class: "tag" }, tag))],
    ["Started", times.started_at],
    ["Ended", times.finished_at],
    task.expires_at && ["Expires", times.expires_at],
  ].filter(Boolean);
  const next = h("div", {}, h("dt", {}, "Next try"), h("dd", {}, times.available_at));
  const result = h("div", {});
  const node = h(
    "section",
    { class: "panel", "aria-label": "Details" },
    h("h2", {}, "Details"),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      next,
    ),
    json("Arguments", task.args),
    result,
  );
  let shownResult;

  function show(now) {
    if (owner) setOwner(owner, now.owner_id);
    for (const [name, place] of Object.entries(times)) setWhen(place, now[name]);
    next.hidden = !["scheduled", "retrying"].includes(now.state);
    const text =
      now.artifact || now.result === null || now.result === undefined
        ? ""
        : JSON.stringify(now.result);
    if (text === shownResult) return;
    shownResult = text;
    fill(result, text ? json("Result", now.result) : null);
  }

  return { node, show };
}

function json(title, value) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const code = h("code", {});
  setText(code, text.length > MOST_JSON ? `${text.slice(0, MOST_JSON)}…` : text);
  const isSmall = text.length < 400;
  return h(
    "details",
    { open: isSmall },
    h("summary", {}, title),
    h("pre", { tabindex: "0", "aria-label": title }, code),
  );
}
