/** What the console calls things: states, tasks, browsers. */

import { number } from "./format.js";

/** State → [word, tone, icon, what it means]. */
export const STATES = {
  scheduled: ["Scheduled", "wait", "clock", "It waits for the time it was ordered for."],
  queued: ["Queued", "wait", "queue", "It waits for a worker."],
  running: ["Running", "run", "run", "A worker holds it."],
  retrying: ["Retrying", "warn", "retry", "An attempt failed; it waits for the next."],
  cancelling: ["Cancelling", "warn", "stop", "It was asked to stop."],
  succeeded: ["Succeeded", "ok", "check", "It ended well."],
  failed: ["Failed", "bad", "cross", "Its last attempt raised an error."],
  cancelled: ["Cancelled", "off", "stop", "Somebody cancelled it."],
  timed_out: ["Timed out", "bad", "clock", "Its last attempt took too long."],
  crashed: ["Crashed", "bad", "bolt", "It took down as many workers as it may."],
  expired: ["Expired", "off", "clock", "Nobody took it in time."],
};

/** The states of the list's filter, in groups. */
export const STATE_GROUPS = [
  ["Waiting", ["scheduled", "queued", "retrying"]],
  ["At work", ["running", "cancelling"]],
  ["Ended", ["succeeded", "failed", "timed_out", "crashed", "cancelled", "expired"]],
];

const ENDED = new Set(STATE_GROUPS[2][1]);

/** The events of a task's stream. */
export const KINDS = [
  "snapshot",
  "progress",
  "log",
  "artifact",
  "started",
  ...Object.keys(STATES),
];

export const isEnded = (state) => ENDED.has(state);

/** Whether cancelling it makes sense. */
export const canCancel = (state) => !isEnded(state) && state !== "cancelling";

/** The lanes that need workers; `local` has the web processes. */
export const WORKER_LANES = ["io", "cpu"];

/** Whether ordering it again makes sense. */
export const canReplay = (state) => isEnded(state) && state !== "succeeded";

/** The ids of tasks and batches. */
export const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const LANGUAGES = { en: "English", ja: "Japanese" };

/**
 * A title and a line below it, for people.
 *
 * @returns {{title: string, about: string}}
 */
export function describe(task) {
  if (task.name === "reports.user_activity") {
    const { days, timezone, language } = task.args;
    const parts = [`${days} ${days === 1 ? "day" : "days"}`, timezone, LANGUAGES[language]];
    return { title: "Activity report", about: parts.filter(Boolean).join(" · ") };
  }
  if (task.name === "exports.run") {
    const { dataset, columns, format, profile } = task.args;
    const count = columns?.length ? `${columns.length} columns` : "";
    const parts = [formOf(format, profile), count];
    return { title: `Export of ${dataset}`, about: parts.filter(Boolean).join(" · ") };
  }
  if (task.name === "tasks.replay") {
    const { limit: _limit, ...wanted } = task.args.wanted ?? {};
    if (Array.isArray(wanted.state)) wanted.state = wanted.state.join(", ");
    return { title: "Replay of many", about: summary(wanted) };
  }
  if (task.name === "mail.send") return { title: "A mail", about: "" };
  if (task.name === "mail.tell") return { title: "A mail when it is done", about: task.args.to };
  if (task.name === "mail.send_bulk") {
    return { title: "Mails to many", about: `part ${task.args.chunk + 1}` };
  }
  return { title: task.name, about: summary(task.args) };
}

/** What a file of an export is called by people. */
export function formOf(format, profile) {
  return format === "csv" && profile === "excel" ? "CSV for Excel" : format.toUpperCase();
}

/** The arguments in one short line. */
function summary(args) {
  const given = Object.entries(args ?? {}).filter(([, value]) => value !== null);
  const parts = given.map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return `${name}: ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`;
  });
  return parts.slice(0, 4).join(" · ");
}

/** How far a task is. */
export function progressOf(task) {
  const { progress, state } = task;
  if (state === "succeeded") return { part: 1, text: "Done", message: "" };
  if (!progress) {
    const isMoving = state === "running" || state === "cancelling";
    return { part: isMoving ? null : 0, text: "", message: "" };
  }
  const { current, total, unit, message } = progress;
  const part = total > 0 ? Math.min(1, Math.max(0, current / total)) : null;
  const count = total === null ? number(current) : `${number(current)} of ${number(total)}`;
  return { part, text: unit ? `${count} ${unit}` : count, message: message ?? "" };
}

/** "Chromium on Linux", from what a browser calls itself; it may have lied. */
export function browserOf(agent) {
  if (!agent) return "Unknown program";
  const browser = first(agent, [
    [/Edg\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\//, "Firefox"],
    [/Chrome\//, "Chrome"],
    [/Safari\//, "Safari"],
  ]);
  const system = first(agent, [
    [/Windows/, "Windows"],
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Mac OS X/, "macOS"],
    [/Linux/, "Linux"],
  ]);
  if (!browser) return agent.slice(0, 60);
  return system ? `${browser} on ${system}` : browser;
}

const first = (text, pairs) => pairs.find(([pattern]) => pattern.test(text))?.[1] ?? "";
