/** While figures are live, the sums of the range are read again when the stream says that something changed. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useLiveWindows } from "./live";
import { useRefresh } from "./selection";
import { useDashboardState } from "../filters/search-state";

// Often enough for a change to be seen within five seconds, seldom enough that a page of widgets does not keep the server busy.
const PAUSE_MS = 2_500;

/** Mounted once by pages that show live figures. */
export function LiveRefresh() {
  const { tenant } = useDashboardState();
  return useRefresh() === "live" ? <Following tenant={tenant} /> : null;
}

function Following({ tenant }: { tenant: string }): null {
  const client = useQueryClient();
  const { changedAt } = useLiveWindows(tenant);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  const readAt = useRef(Date.now());
  useEffect(() => {
    if (changedAt === undefined || waiting.current !== undefined) return;
    const pause = Math.max(0, readAt.current + PAUSE_MS - Date.now());
    waiting.current = setTimeout(() => {
      waiting.current = undefined;
      readAt.current = Date.now();
      // A read that is under way is let finish: on a slow server, reads would only cancel each other.
      for (const kind of ["totals", "series"]) void client.invalidateQueries({ queryKey: [kind, tenant] }, { cancelRefetch: false });
    }, pause);
  }, [changedAt, client, tenant]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  return null;
}
