/**
 * Builds elements. Text becomes text: nothing here, or anywhere in the console, parses markup,
 * so nobody's name, log line or error message can become a part of the page.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Attributes that would carry code or markup; `style` is refused by the page's policy anyway. */
const REFUSED = new Set(["style", "innerhtml", "outerhtml", "srcdoc", "srcset"]);

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props] attributes; `onclick` and the like take functions;
 *   `true` sets an empty attribute; `false`, `null` and `undefined` leave it out
 * @param {...(Node|string|number|null|undefined|false|Array<any>)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(node, name, value);
  append(node, children);
  return node;
}

function setProp(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (REFUSED.has(name.toLowerCase())) throw new TypeError(`refused: ${name}`);
  if (name.startsWith("on")) {
    if (typeof value !== "function") throw new TypeError(`${name} takes a function`);
    node.addEventListener(name.slice(2), value);
    return;
  }
  if ((name === "href" || name === "src") && !/^[/#]/.test(value)) {
    throw new TypeError(`${name} must stay on this site`);
  }
  node.setAttribute(name, value === true ? "" : String(value));
}

/** Append children; arrays are flattened, what is absent is left out. */
export function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Replace all children. */
export function fill(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

/** Set the text, and touch the page only if it differs: a selection in it survives. */
export function setText(node, text) {
  const next = String(text ?? "");
  if (node.textContent !== next) node.textContent = next;
}

/** Set or remove an attribute, only if it differs. */
export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** A picture of `img/icons.svg` that only decorates; the words stand beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/ui/img/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A dotted name that may be broken after its dots and underscores. */
export function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));
}

let lastId = 0;

/** An id that no other element has. */
export function freshId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
