/** Who is signed in, and which tenants they may see, as `/auth/session` says. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { forgetLastKnown, queryClient } from "./last-known";

export interface TenantAccess {
  roles: string[];
  permissions: string[];
  /** True when the tenant's roles need a second factor that this sign-in did not have. */
  mfa_required: boolean;
}

export interface Session {
  kind: string;
  id: string;
  /** True for the demo user of a server on loopback, who names any tenant. */
  all_tenants: boolean;
  tenants: Record<string, TenantAccess>;
  /** Seconds since the epoch; null without an end. */
  expires_at: number | null;
}

/** What is known: a session; that nobody is signed in, or not any more; nothing yet; or nothing, because the server did not answer. */
export type Access = { known: "session"; session: Session } | { known: "signed-out"; expired: boolean } | { known: "asking" } | { known: "nothing" };

const KEY = ["session", ""] as const;
// Asking renews a session in its last minute (serving/access/sign_in.py): it is asked then, and at least this often.
const ASK_AGAIN_MS = 120_000;
const BEFORE_END_MS = 45_000;
const SOONEST_MS = 5_000;
const UNAUTHENTICATED = 401;

function askAgainMs(access: Access | undefined): number {
  const end = access?.known === "session" ? access.session.expires_at : null;
  return typeof end !== "number" ? ASK_AGAIN_MS : Math.max(SOONEST_MS, Math.min(ASK_AGAIN_MS, end * 1000 - BEFORE_END_MS - Date.now()));
}

/** Whoever is not signed in any more leaves no figures behind, in memory or in the browser's database. */
function forgetFigures(): void {
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== KEY[0] });
  void forgetLastKnown();
}

const QUESTION = queryOptions<Access>({
  queryKey: KEY,
  staleTime: ASK_AGAIN_MS,
  queryFn: async ({ signal }) => {
    const response = await fetch("/auth/session", { signal, headers: { accept: "application/json" } });
    if (response.status === UNAUTHENTICATED) {
      const before = queryClient.getQueryData<Access>(KEY);
      forgetFigures();
      return { known: "signed-out", expired: before?.known === "session" || (before?.known === "signed-out" && before.expired) };
    }
    if (!response.ok) throw new Error(`the session answered ${response.status}`);
    return { known: "session", session: (await response.json()) as Session };
  },
});

/** Asks before anything is drawn, while what was kept is read; a failure is met by whoever asks next. */
export async function askAccess(lastKnown: Promise<void>): Promise<void> {
  await queryClient.prefetchQuery(QUESTION);
  await lastKnown;
  // What was kept may have been read after it was forgotten.
  if (queryClient.getQueryData<Access>(KEY)?.known === "signed-out") forgetFigures();
}

export function useAccess(): Access {
  const query = useQuery({ ...QUESTION, refetchInterval: ({ state }) => askAgainMs(state.data) });
  if (query.data) return query.data;
  return query.isPending && query.fetchStatus !== "paused" && query.failureCount === 0 ? { known: "asking" } : { known: "nothing" };
}

/** Leaves for the provider's page, which leads back to this one. */
export function signIn(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/auth/login?return_to=${encodeURIComponent(here)}`);
}

/** Ends the session, forgets every figure that was kept, and leaves the page. */
export async function signOut(): Promise<void> {
  const response = await fetch("/auth/logout", { method: "POST" });
  const { sign_out_url: page } = (await response.json()) as { sign_out_url?: string };
  queryClient.clear();
  await forgetLastKnown();
  window.location.assign(page || "/");
}
