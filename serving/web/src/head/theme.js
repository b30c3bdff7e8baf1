// Runs before the page is painted, so that a chosen theme does not flash in after the other one. As src/shell/theme.ts.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("tributary.theme");
  } catch {
    // Storage is refused: the system's theme it is.
  }
  const prefers = (what) => matchMedia(`(prefers-${what})`).matches;
  const bySystem = prefers("contrast: more") ? "contrast" : prefers("color-scheme: dark") ? "dark" : "light";
  document.documentElement.dataset.theme = ["light", "dark", "contrast"].includes(chosen) ? chosen : bySystem;
})();
