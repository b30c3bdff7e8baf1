/** Who is signed in, and which tenants they may see, as `/auth/session` says. */
import { useQuery } from "@tanstack/react-query";
import { forgetLastKnown, queryClient } from "./last-known";

interface TenantAccess {
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
}

/** What is known: a session, that nobody is signed in, or nothing, because the server did not answer. */
export type Access = { known: "session"; session: Session } | { known: "signed-out" } | { known: "nothing" };

// Asking renews a session that is about to end.
const ASK_AGAIN_MS = 120_000;
const UNAUTHENTICATED = 401;

export function useAccess(): Access {
  const query = useQuery({
    queryKey: ["session", ""] as const,
    staleTime: ASK_AGAIN_MS,
    refetchInterval: ASK_AGAIN_MS,
    queryFn: async ({ signal }): Promise<Access> => {
      const response = await fetch("/auth/session", { signal, headers: { accept: "application/json" } });
      if (response.status === UNAUTHENTICATED) return { known: "signed-out" };
      if (!response.ok) throw new Error(`the session answered ${response.status}`);
      return { known: "session", session: (await response.json()) as Session };
    },
  });
  return query.data ?? { known: "nothing" };
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
