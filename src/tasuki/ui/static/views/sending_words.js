/** What a sending is called by people, by how far it is. */

export const endedOf = ({ succeeded, failed, cancelled }) => succeeded + failed + cancelled;

/**
 * @param {{is_paused: boolean, batch: any}} sending
 * @returns {[string, string]} a word and a tone
 */
export function stateOf({ is_paused: isPaused, batch }) {
  if (!batch.finished_at) {
    if (batch.cancel_requested_at) return ["Cancelling", "warn"];
    return isPaused ? ["Paused", "warn"] : ["Sending", "run"];
  }
  if (batch.failed > 0) return ["Over, not all sent", "bad"];
  return batch.cancelled > 0 ? ["Over, some left out", "off"] : ["All sent", "ok"];
}

/** What a bar understands. */
export function asTask({ is_paused: isPaused, batch }) {
  const progress = {
    current: endedOf(batch),
    total: batch.total,
    unit: "recipients",
    message: null,
  };
  if (batch.finished_at) return { state: batch.failed ? "failed" : "succeeded", progress };
  return { state: isPaused ? "retrying" : "running", progress };
}
