/** What the frame of the page shows for custom dashboards, as `shell/templates.ts` has it for the five templates. */
import { LayoutTemplate } from "lucide-react";
import { words } from "../language/words";

export const CUSTOM = {
  path: "/dashboards",
  get name() {
    return words.templates.custom.name;
  },
  get purpose() {
    return words.templates.custom.purpose;
  },
  refresh: "300",
  icon: LayoutTemplate,
  key: "d",
  needs: "view_campaigns",
} as const;

export const isCustom = (pathname: string): boolean => pathname === CUSTOM.path || pathname.startsWith(`${CUSTOM.path}/`);
