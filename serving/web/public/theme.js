// Runs before the page is painted, so that a chosen theme does not flash in after the other one.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("tributary.theme");
  } catch {
    // Storage is refused: the system's theme it is.
  }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
