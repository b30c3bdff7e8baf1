/** The query cache, kept in the browser's own database so that the page shows the last known figures without a network.
 *
 * Kept are sums and counts. Conversions and journeys, which name a customer, are not kept.
 */
import { onlineManager, QueryCache, QueryClient, type Query } from "@tanstack/react-query";
import { persistQueryClientRestore, persistQueryClientSave, type PersistedClient, type Persister } from "@tanstack/react-query-persist-client";
import { del, get, set } from "idb-keyval";
import { isSignedOut, mayRetry } from "./errors";

const KEY = "tributary.last-known";
const DAY_MS = 86_400_000;
// Figures that were read less than this ago are shown without asking again when a page is opened anew.
const FRESH_MS = 5_000;
const MOST_RETRIES = 2;
// Changes with the shape of what is kept: what another version kept is not read.
const SHAPE = "3";
// Figures are kept this long after they were read, and at most so often: each time all of them are copied.
const KEEP_AFTER_MS = 1_000;
const KEEP_AGAIN_MS = 10_000;

// Answers that name customers or the caller: they are held while the page is open, and not kept.
const NOT_KEPT = new Set(["session", "conversion", "conversions", "journey", "drill-journeys"]);

// The library hears of changes only: a page that is opened without a network would take itself for online.
onlineManager.setOnline(navigator.onLine);

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    // The session has ended: whether it has is asked at once, and not with the next interval.
    onError: (error, { queryKey }) => {
      if (queryKey[0] !== "session" && isSignedOut(error)) void queryClient.invalidateQueries({ queryKey: ["session"] });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      gcTime: DAY_MS,
      retry: (failures, error) => failures < MOST_RETRIES && mayRetry(error),
      retryDelay: (failures) => Math.min(500 * 2 ** failures, 4_000) * (0.5 + Math.random() / 2),
      refetchOnWindowFocus: true,
    },
  },
});

// The database stores structured clones, so the 64-bit integers of messages need no conversion.
const persister: Persister = {
  persistClient: (client) => set(KEY, client).catch(() => undefined),
  restoreClient: () => get<PersistedClient>(KEY).catch(() => undefined),
  removeClient: () => del(KEY).catch(() => undefined),
};

export const forgetLastKnown = (): Promise<void> => del(KEY);

const persistence = { queryClient, persister, maxAge: DAY_MS, buster: SHAPE };

/** Reads what was kept. Nothing waits for it longer than for an answer of the server. */
export const readLastKnown = (): Promise<void> => persistQueryClientRestore(persistence).catch(() => undefined);

/** Keeps what is read from now on. `tenant` is the one that is shown: nothing of another is kept. */
export function keepLastKnown(tenant: () => string): void {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  let keptAt = -Infinity;
  const keep = () => {
    clearTimeout(waiting);
    waiting = undefined;
    keptAt = performance.now();
    const shown = tenant();
    const shouldDehydrateQuery = ({ state, queryKey }: Query) => state.status === "success" && !NOT_KEPT.has(String(queryKey[0])) && queryKey[1] === shown;
    void persistQueryClientSave({ ...persistence, dehydrateOptions: { shouldDehydrateQuery } });
  };
  queryClient.getQueryCache().subscribe((event) => {
    const changed = event.type === "removed" || (event.type === "updated" && event.action.type === "success");
    // An arrangement changes rarely, and whoever saved one expects to see it when the page is opened again.
    if (changed && event.query.queryKey[0] === "dashboard") keep();
    else if (changed) waiting ??= setTimeout(keep, Math.max(KEEP_AFTER_MS, keptAt + KEEP_AGAIN_MS - performance.now()));
  });
  // Whoever leaves has seen the newest figures.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && waiting !== undefined) keep();
  });
}
