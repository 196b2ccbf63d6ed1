/** How the download of this tab goes: live, whole, or broken and what can be done about it. */

import {
  beginAnew,
  cancelDownload,
  dismiss,
  download,
  goOn,
  isBusy,
  saveAgain,
} from "../download.js";
import { fill, h, icon, setAttr, setText } from "../dom.js";
import { clock, number, size } from "../format.js";
import { announce } from "../parts/announce.js";
import { notice, problemNotice } from "../parts/notice.js";
import { progressBar, setProgress } from "../parts/progress.js";

const MOVING = {
  asking: "Asking for the first rows…",
  receiving: "Receiving",
  checking: "Checking that all of it is here…",
};

/** @param {AbortSignal} signal */
export function downloadPanel(signal) {
  const name = h("h2", { class: "file-name", tabindex: "-1" });
  const bar = progressBar("Progress of the download");
  const word = h("span", {});
  const count = h("span", { class: "hero-count" });
  const line = h("p", { class: "hero-bottom" }, word, count);
  const said = h("div", {});
  const actions = h("div", { class: "actions" });
  const node = h(
    "section",
    { class: "panel", "aria-label": "Download" },
    name,
    bar,
    line,
    said,
    actions,
  );
  let known = "";

  download.watch((shown) => {
    node.hidden = !shown;
    if (!shown) return;
    setText(name, shown.name);
    setText(word, MOVING[shown.phase] ?? "");
    setText(count, countOf(shown));
    for (const one of [bar, line]) one.hidden = !isBusy();
    setProgress(bar, asTask(shown));
    const now = [shown.phase, shown.rest, shown.reason, shown.problem?.message].join("|");
    if (now === known) return; // or a button would lose the focus
    known = now;
    fill(said, messageOf(shown));
    const hadFocus = actions.contains(document.activeElement);
    fill(actions, buttonsOf(shown));
    if (hadFocus) (actions.querySelector("button") ?? name).focus();
    if (said.firstChild) announce(said.textContent);
  }, signal);
  return node;
}

function countOf({ phase, received, run }) {
  if (phase === "asking") return received ? size(received) : "";
  const total = run?.state === "complete" ? ` of ${size(run.bytes)}` : "";
  const rows = run?.rows ? ` · ${number(run.rows)} rows` : "";
  return `${size(received)}${total}${rows}`;
}

/** What the bar understands. */
function asTask({ phase, received, run }) {
  const isKnown = phase === "receiving" && run?.state === "complete";
  const progress = isKnown && { current: received, total: run.bytes, unit: "bytes" };
  return { state: "running", progress: progress || null };
}

function messageOf(shown) {
  const { phase, received, run, problem, isHashed } = shown;
  const compared = isHashed ? "Length and SHA-256 are" : "Its length is";
  switch (phase) {
    case "whole":
      return notice(
        "ok",
        h("strong", {}, `All of it is here: ${size(received)}, ${number(run.rows)} rows`),
        h("p", {}, `Saved. ${compared} as written by the server.`),
      );
    case "cancelled":
      return notice("info", h("strong", {}, "Cancelled"), h("p", {}, "Nothing was saved."));
    case "broken":
      return [
        received > 0 || !problem ? brokenNotice(shown) : null,
        problem && problemNotice(problem),
      ];
    default:
      return null;
  }
}

function brokenNotice({ received, reason, fault, rest, run }) {
  if (fault) {
    return notice(
      "bad",
      h("strong", {}, "What came is not what the server has written."),
      h("p", {}, `${fault} It has to begin anew.`),
    );
  }
  const text = {
    looking: () => "Looking whether the rest is still there…",
    unknown: () => "Whether the rest is still there is not known.",
    kept: () => keptWords(run, reason),
    lost: () => `${reason} It has to begin anew.`.trim(),
  };
  return notice(
    "bad",
    h("strong", {}, `The download broke off at ${size(received)}; it is not whole.`),
    h("p", {}, text[rest]()),
  );
}

function keptWords(run, reason) {
  if (run.state === "complete") return `The server has all of it until ${clock(run.expires_at)}.`;
  return `${reason} The server can add what is missing, unless rows have changed.`;
}

function buttonsOf({ phase, rest }) {
  if (isBusy()) return button("", "cross", "Cancel", cancelDownload);
  const close = button("quiet", "cross", "Close", dismiss);
  if (phase === "whole") return [button("", "download", "Save it again", saveAgain), close];
  if (phase === "broken" && rest === "looking") return close;
  const canGoOn = phase === "broken" && rest !== "lost";
  return [
    canGoOn && button("primary", "download", "Go on", goOn),
    button("", "retry", "Begin anew", beginAnew),
    close,
  ];
}

function button(className, picture, text, onclick) {
  return h(
    "button",
    { type: "button", class: `button ${className}`, onclick },
    icon(picture),
    text,
  );
}
