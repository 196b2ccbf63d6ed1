/** Begins the console: who is signed in, the frame, and the view of this address. */

import { get, Problem, post } from "./api.js";
import { fill, h } from "./dom.js";
import { startTicking } from "./format.js";
import { inbox, keepInbox } from "./inbox.js";
import { openStream } from "./live_stream.js";
import { announce } from "./parts/announce.js";
import { problemNotice } from "./parts/notice.js";
import { shell } from "./parts/shell.js";
import { createRouter, pathOfClick } from "./router.js";
import { onOtherTab, signedOut, signInNote, user } from "./session.js";
import { setTitle, setUnread } from "./title.js";
import { accountView } from "./views/account.js";
import { batchView } from "./views/batch.js";
import { caughtMailsView, caughtMailView } from "./views/caught_mails.js";
import { connectionsView } from "./views/connections.js";
import { exportsView } from "./views/exports.js";
import { failuresView } from "./views/failures.js";
import { mailNewView } from "./views/mail_new.js";
import { mailsView } from "./views/mails.js";
import { notificationsView } from "./views/notifications.js";
import { forAdmins } from "./views/not_yours.js";
import { queuesView } from "./views/queues.js";
import { reportView } from "./views/report.js";
import { roomView } from "./views/room.js";
import { roomsView } from "./views/rooms.js";
import { schedulesView } from "./views/schedules.js";
import { sendingView } from "./views/sending.js";
import { sendingNewView } from "./views/sending_new.js";
import { sendingsView } from "./views/sendings.js";
import { signInView } from "./views/sign_in.js";
import { suppressionsView } from "./views/suppressions.js";
import { taskView } from "./views/task.js";
import { tasksView } from "./views/tasks.js";
import { tellView } from "./views/tell.js";
import { verifyView } from "./views/verify.js";
import { workersView } from "./views/workers.js";

const root = document.getElementById("app");
let frame = null;

const router = createRouter(
  [
    ["/", tasksView],
    ["/tasks", tasksView],
    ["/tasks/:id", (visit) => taskView(visit, router.go)],
    ["/batches/:id", (visit) => batchView(visit, router.go)],
    ["/reports/new", (visit) => reportView(visit, router.go)],
    ["/exports", exportsView],
    ["/notifications", notificationsView],
    ["/mail", mailsView],
    ["/mail/new", mailNewView],
    ["/mail/sendings", sendingsView],
    ["/mail/sendings/new", (visit) => sendingNewView(visit, router.go)],
    ["/mail/sendings/:id", sendingView],
    ["/chat", (visit) => roomsView(visit, router.go)],
    ["/chat/:room", (visit) => roomView(visit, router.go)],
    ["/account", accountView],
    ["/verify", verifyView],
    ["/admin/queues", forAdmins(queuesView)],
    ["/admin/workers", forAdmins(workersView)],
    ["/admin/schedules", forAdmins(schedulesView)],
    ["/admin/failures", forAdmins((visit) => failuresView(visit, router.go))],
    ["/admin/connections", forAdmins(connectionsView)],
    ["/admin/announce", forAdmins(tellView)],
    ["/admin/suppressions", forAdmins(suppressionsView)],
    ["/mail/inbox", forAdmins(caughtMailsView)],
    ["/mail/inbox/:id", forAdmins(caughtMailView)],
    ["*", lostView],
  ],
  ({ title, node }, isFirst) => {
    setTitle(title);
    fill(frame.main, node);
    frame.at(window.location.pathname);
    // Keyboard and screen reader go on where the new view begins.
    if (!isFirst || shownUser === null) focusHeading(node);
  },
);

function lostView() {
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Nothing here"),
    h("p", {}, "There is no such page. ", h("a", { href: "/" }, "Go to the tasks"), "."),
  );
  return { title: "Nothing here", node };
}

/** What is shown while nobody is signed in. Who verifies an address need not be. */
function showOutside(signal) {
  if (window.location.pathname === "/verify") {
    const { title, node } = verifyView({ signal });
    setTitle(title);
    fill(root, h("main", { id: "main", class: "alone" }, node));
    return;
  }
  const { title, node, first } = signInView();
  setTitle(title);
  fill(root, node);
  first.focus();
  announce(signInNote.get());
}

function focusHeading(node) {
  node.querySelector("h1")?.focus({ preventScroll: true });
}

async function signOut() {
  try {
    await post("/auth/logout");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status !== 401) {
      frame.main.prepend(problemNotice(error));
      return;
    }
  }
  signedOut();
  window.history.replaceState(null, "", "/");
}

let shownUser; // the frame belongs to one user
let ending = new AbortController();
user.watch((now) => {
  if (now === undefined) return;
  ending.abort();
  ending = new AbortController();
  if (now === null) {
    router.leave();
    frame = null;
    setUnread(0);
    showOutside(ending.signal);
  } else {
    openStream(now.id, ending.signal);
    keepInbox(ending.signal);
    inbox.watch((told) => setUnread(told?.unread ?? 0), ending.signal);
    frame = shell(now, () => void signOut(), ending.signal);
    fill(root, frame.node);
    router.render();
  }
  shownUser = now;
});

document.addEventListener("click", (event) => {
  const path = frame && pathOfClick(event);
  if (!path) return;
  event.preventDefault();
  router.go(path);
});
window.addEventListener("popstate", () => frame && router.moved());

async function begin() {
  try {
    user.set(await get("/auth/me", { isSignIn: true }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) {
      user.set(null);
      return;
    }
    const again = h("button", { type: "button", class: "button", onclick: begin }, "Try again");
    fill(
      root,
      h(
        "main",
        { id: "main", class: "alone" },
        h("h1", {}, "Tasuki"),
        problemNotice(error, again),
      ),
    );
  }
}

startTicking();
onOtherTab(begin);
void begin();
