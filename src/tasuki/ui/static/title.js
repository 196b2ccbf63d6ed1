/** The title of the tab: what is shown, and how many notifications are unread. */

let shown = "Tasuki";
let unread = 0;

/** @param {string} text what is shown */
export function setTitle(text) {
  shown = `${text} · Tasuki`;
  write();
}

/** @param {number} count */
export function setUnread(count) {
  unread = count;
  write();
}

function write() {
  document.title = unread > 0 ? `(${unread}) ${shown}` : shown;
}
