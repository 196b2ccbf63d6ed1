/** What a task's record becomes after an event, as far as the event tells. */

import { isEnded } from "./words.js";

/**
 * @param {any} task
 * @param {import("./sse.js").TaskEvent} event
 * @returns {any} a new record
 */
export function after(task, event) {
  const { type, at, attempt, data } = event;
  switch (type) {
    case "progress":
      return { ...task, progress: data };
    case "started":
      return {
        ...task,
        state: "running",
        attempt,
        started_at: task.started_at ?? at,
        progress: null,
      };
    case "scheduled":
    case "queued":
      return {
        ...task,
        state: type,
        progress: null,
        crash_count: data.crash_count ?? task.crash_count,
      };
    case "retrying":
      return { ...task, state: type, error: data.error, available_at: data.available_at };
    case "cancelling":
      return { ...task, state: type };
    default:
      if (!isEnded(type)) return task;
      return {
        ...task,
        state: type,
        finished_at: at,
        error: data.error ?? null,
        result: data.result,
      };
  }
}
