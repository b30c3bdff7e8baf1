/** The query cache, kept in the browser's own database so that the page shows the last known figures without a network.
 *
 * Kept are sums and counts. A conversion with its customer is not kept.
 */
import { onlineManager, QueryClient } from "@tanstack/react-query";
import type { PersistedClient, Persister, PersistQueryClientOptions } from "@tanstack/react-query-persist-client";
import { del, get, set } from "idb-keyval";
import { mayRetry } from "./errors";

const KEY = "tributary.last-known";
const DAY_MS = 86_400_000;
// Figures that were read less than this ago are shown without asking again when a page is opened anew.
const FRESH_MS = 5_000;
const MOST_RETRIES = 2;
// Changes with the shape of what is kept: what another version kept is not read.
const SHAPE = "1";

// The library hears of changes only: a page that is opened without a network would take itself for online.
onlineManager.setOnline(navigator.onLine);

export const queryClient = new QueryClient({
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

/** What is kept, and for how long. `tenant` is the one that is shown: nothing of another is kept. */
export function persistence(tenant: () => string): Omit<PersistQueryClientOptions, "queryClient"> {
  return {
    persister,
    maxAge: DAY_MS,
    buster: SHAPE,
    dehydrateOptions: {
      shouldDehydrateQuery: ({ state, queryKey }) =>
        state.status === "success" && queryKey[0] !== "conversion" && queryKey[1] === tenant(),
    },
  };
}
