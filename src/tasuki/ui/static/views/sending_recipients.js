/** Each recipient of a sending, with what the mail system said. */

import { h, setAttr } from "../dom.js";
import { setWhen, when } from "../format.js";
import { MAIL_STATES } from "../mail_words.js";
import { badge, setBadge } from "../parts/badge.js";
import { cell, grid } from "../parts/grid.js";
import { paged } from "../parts/paged.js";
import { mailAbout } from "./mail_row.js";
import { stateField } from "./mails.js";

const BUSY_MS = 2_000;
const OVER_MS = 60_000;

/**
 * @param {string} id of the sending
 * @param {AbortSignal} signal
 */
export function sendingRecipients(id, signal) {
  const state = stateField();
  const { node: table, body } = grid("Recipients", ["Address", "State", "Mail system", "Ended"]);
  let isMoving = true;
  const list = paged({
    path: `/mail/batches/${id}/recipients`,
    wanted: () => (state.input.value ? { state: state.input.value } : {}),
    table,
    body,
    make: recipientRow,
    none: () => h("p", { class: "fine" }, "Nobody is in this state."),
    every_ms: () => (isMoving ? BUSY_MS : OVER_MS),
    signal,
  });
  const node = h(
    "section",
    { class: "recipients", "aria-labelledby": "recipients" },
    h("h2", { id: "recipients" }, "Recipients"),
    h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter the recipients",
        onsubmit: (event) => event.preventDefault(),
        onchange: list.restart,
      },
      state.node,
    ),
    list.node,
  );
  return {
    node,
    refresh: list.refresh,
    /** Whether more is to be expected. */
    setMoving(isIt) {
      isMoving = isIt;
    },
  };
}

function recipientRow(recipient) {
  const state = badge();
  const about = mailAbout();
  const ended = when(null);
  const node = h(
    "tr",
    { role: "row" },
    cell("", h("strong", {}, recipient.recipient)),
    cell("State", state),
    cell("Mail system", about.node),
    cell("Ended", ended),
  );

  function update(now) {
    setBadge(state, now.state, MAIL_STATES);
    setAttr(node, "data-state", now.state);
    about.show(now);
    setWhen(ended, now.ended_at);
  }

  return { node, update };
}
