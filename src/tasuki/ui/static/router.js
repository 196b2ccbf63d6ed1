/** Which view an address shows. Addresses are real ones: the server answers each with the page. */

/**
 * @typedef {{params: Record<string, string>, query: URLSearchParams, signal: AbortSignal}} Visit
 *   the signal tells a view that it was left
 * @typedef {{title: string, node: HTMLElement}} Shown
 * @typedef {(visit: Visit) => Shown} View
 */

/**
 * @param {[string, View][]} routes pattern (`/tasks/:id`) and view; the last one for all others
 * @param {(shown: Shown, isFirst: boolean) => void} show
 */
export function createRouter(routes, show) {
  let leaving = new AbortController();
  let isFirst = true;
  let shownAt = "";

  function render() {
    leaving.abort();
    leaving = new AbortController();
    const { pathname, search } = window.location;
    shownAt = pathname + search;
    const [view, params] = find(routes, pathname);
    const visit = { params, query: new URLSearchParams(search), signal: leaving.signal };
    show(view(visit), isFirst);
    isFirst = false;
  }

  return {
    render,
    /** The browser went back or forth. A jump within the page is none of our business. */
    moved() {
      if (window.location.pathname + window.location.search !== shownAt) render();
    },
    /** Leave the current view and show nothing of it. */
    leave: () => leaving.abort(),
    go(path) {
      if (path !== window.location.pathname + window.location.search) {
        window.history.pushState(null, "", path);
      }
      render();
      window.scrollTo(0, 0);
    },
  };
}

/** @returns {[View, Record<string, string>]} */
function find(routes, pathname) {
  for (const [pattern, view] of routes) {
    const params = match(pattern, pathname);
    if (params) return [view, params];
  }
  return [routes.at(-1)[1], {}];
}

function match(pattern, pathname) {
  const wanted = pattern.split("/");
  const given = pathname.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return null;
  const params = {};
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(":")) params[part.slice(1)] = decoded(given[index]);
    else if (part !== given[index]) return null;
  }
  return params;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The path of a click that the router should follow itself; null: the browser's business. */
export function pathOfClick(event) {
  const link = event.target.closest?.("a[href]");
  const isPlain =
    event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || event.defaultPrevented) return null;
  if (link.target || link.hasAttribute("download")) return null;
  const href = link.getAttribute("href");
  return /^\/(?!api\/|ui\/|\/)/.test(href) ? href : null;
}

/** Note filters in the address, without a new entry in the history. */
export function replaceQuery(query) {
  const text = query.toString();
  window.history.replaceState(null, "", window.location.pathname + (text ? `?${text}` : ""));
}
