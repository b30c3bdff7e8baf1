/** What the frame of the page shows for custom dashboards, as `shell/templates.ts` has it for the five templates. */
import { LayoutTemplate } from "lucide-react";

export const CUSTOM = {
  path: "/dashboards",
  name: "Custom dashboards",
  purpose: "Arranged by yourself and your colleagues",
  refresh: "300",
  icon: LayoutTemplate,
  key: "d",
  needs: "view_campaigns",
} as const;

export const isCustom = (pathname: string): boolean => pathname === CUSTOM.path || pathname.startsWith(`${CUSTOM.path}/`);
