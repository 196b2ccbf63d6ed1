/** Keeps children true to a list: focus, selection and scroll stay where they are. */

/**
 * @template T
 * @param {HTMLElement} parent
 * @param {{key: (item: T) => string,
 *          make: (item: T) => {node: HTMLElement, update: (item: T) => void}}} how
 * @returns {(items: T[]) => void} shows these, in this order
 */
export function keyed(parent, { key, make }) {
  let shown = new Map();
  return (items) => {
    const next = new Map();
    for (const item of items) {
      const row = shown.get(key(item)) ?? make(item);
      row.update(item);
      next.set(key(item), row);
    }
    for (const [id, row] of shown) if (!next.has(id)) drop(row.node);
    shown = next;
    let place = parent.firstChild;
    for (const { node } of next.values()) {
      if (node === place) place = place.nextSibling;
      else parent.insertBefore(node, place);
    }
  };
}

function drop(node) {
  if (node.contains(document.activeElement)) {
    const near = node.nextElementSibling ?? node.previousElementSibling;
    (near?.querySelector("a, button, input") ?? document.getElementById("main")).focus();
  }
  node.remove();
}
