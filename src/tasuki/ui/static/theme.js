// Sets the colour scheme the reader chose, before anything is painted.
// Without a choice the system's scheme counts (css/tokens.css).
(() => {
  try {
    const chosen = localStorage.getItem("tasuki.theme");
    if (chosen === "light" || chosen === "dark") {
      document.documentElement.dataset.theme = chosen;
    }
  } catch {
    // Storage may be switched off; then the system's scheme counts.
  }
})();
