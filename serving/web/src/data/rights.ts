/** What the caller's roles permit, as the session says. The server decides; the page only does not offer what would be refused. */
import { createContext, useContext } from "react";
import type { Access, TenantAccess } from "./session";

/** Answers that need the same permission have one subject, as in serving/access/authorization.py. */
export type Subject = "campaigns" | "operations" | "attribution" | "detail";

export interface Rights {
  roles: readonly string[];
  may: (permission: string) => boolean;
  view: (subject: Subject) => boolean;
  export: (subject: Subject) => boolean;
}

/** As long as nothing is known everything is offered: the server refuses by itself. So it is for the demo user, who may see all. */
export function rightsOf(access: Access, tenant: string): Rights {
  const held: Pick<TenantAccess, "roles" | "permissions"> | undefined = access.known === "session" && !access.session.all_tenants ? (access.session.tenants[tenant] ?? { roles: [], permissions: [] }) : undefined;
  const may = (permission: string) => held === undefined || held.permissions.includes(permission);
  return {
    roles: held?.roles ?? [],
    may,
    view: (subject) => may(`view_${subject}`),
    export: (subject) => may("export_all") || (subject === "campaigns" && may("export_campaigns")),
  };
}

export const RightsContext = createContext<Rights>(rightsOf({ known: "nothing" }, ""));

export const useRights = (): Rights => useContext(RightsContext);
