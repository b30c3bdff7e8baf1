/** Lets the browser keep the files of the page: with its service worker, when the first figures are there, so that nothing waits for it. */
import { queryClient } from "../data/last-known";

// Nothing was asked for this long: the page is filled. A live page is never quiet, so the worker comes after a while in any case.
const QUIET_MS = 1_000;
const LATEST_MS = 30_000;
// A page that stays open, as on a wall, hears of a new release this late. Browsers look by themselves only when a page is opened.
const LOOK_AGAIN_MS = 3_600_000;

const listeners = new Set<() => void>();
let newer = false;

/** Whether the files of a newer release are there than of the one that is shown. */
export const newerRelease = (): boolean => newer;

export function onNewerRelease(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function register(workers: ServiceWorkerContainer): Promise<void> {
  let before = workers.controller;
  workers.addEventListener("controllerchange", () => {
    // The first worker of all is of the release that is shown.
    if (before) {
      newer = true;
      for (const listener of listeners) listener();
    }
    before = workers.controller;
  });
  const registration = await workers.register("/service-worker.js");
  setInterval(() => void registration.update().catch(() => undefined), LOOK_AGAIN_MS);
}

/** Does it once the page is quiet. Browsers that refuse the worker show the page all the same. */
export function keepFiles(): void {
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!workers) return;
  const end = performance.now() + LATEST_MS;
  const look = (quietSince: number) => {
    const now = performance.now();
    const since = queryClient.isFetching() > 0 ? now : quietSince;
    if (now - since < QUIET_MS && now < end) setTimeout(look, QUIET_MS / 4, since);
    else void register(workers).catch(() => undefined);
  };
  look(performance.now());
}
