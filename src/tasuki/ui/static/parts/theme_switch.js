/** Light, dark, or as the system says; kept in this browser (`theme.js` reads it first). */

import { fill, h, icon } from "../dom.js";

const KEY = "tasuki.theme";
const CHOICES = [
  ["system", "System colours", "half"],
  ["light", "Light colours", "sun"],
  ["dark", "Dark colours", "moon"],
];

export function themeSwitch() {
  const button = h("button", { type: "button", class: "button quiet", onclick: next });
  show();
  return button;

  function next() {
    const index = CHOICES.findIndex(([name]) => name === chosen());
    choose(CHOICES[(index + 1) % CHOICES.length][0]);
    show();
  }

  function show() {
    const [, word, picture] = CHOICES.find(([name]) => name === chosen());
    fill(button, icon(picture), h("span", {}, word));
    button.setAttribute("aria-label", `${word}; change`);
    button.setAttribute("title", `Now: ${word}`);
  }
}

function chosen() {
  return document.documentElement.dataset.theme ?? "system";
}

function choose(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    if (name === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
  }
}
