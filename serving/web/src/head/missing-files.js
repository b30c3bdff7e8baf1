// Loads the page again when one of its files is not there: while a release is rolled out, one server may answer with the page and another,
// which has other files, be asked for the scripts. At most once in a while: a file that stays missing is said in words instead.
(() => {
  const KEY = "tributary.loaded-again-at";
  const ONCE_IN_MS = 60_000;
  const again = async () => {
    try {
      // A server that does not answer at all has no other page either, and what is shown is better than nothing.
      if (!(await fetch("/", { method: "HEAD", cache: "no-store" })).ok) return;
      if (Date.now() - Number(sessionStorage.getItem(KEY)) < ONCE_IN_MS) return;
      sessionStorage.setItem(KEY, String(Date.now()));
    } catch {
      // No answer; or no storage, and nobody knows how often it was tried.
      return;
    }
    location.reload();
  };
  const needed = (target) => target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet");
  // Files of the page itself, whose failures do not bubble; then those that are loaded when they are first used.
  window.addEventListener("error", ({ target }) => needed(target) && void again(), true);
  window.addEventListener("vite:preloadError", () => void again());
})();
