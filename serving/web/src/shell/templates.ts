/** The five templates: names, addresses, the keys that open them, and how often each is read again (SPEC F1). */
import { Activity, ChartNoAxesCombined, Gauge, LayoutDashboard, LayoutGrid, TrendingUp, type LucideIcon } from "lucide-react";
import type { Refresh } from "../filters/search-state";
import { words } from "../language/words";

export interface Template {
  path: "/executive" | "/performance" | "/automation" | "/platform" | "/forecasting" | "/gallery";
  id: keyof typeof words.templates;
  name: string;
  purpose: string;
  refresh: Refresh;
  icon: LucideIcon;
  /** Pressed after G. */
  key: string;
  /** The permission without which it is not shown. */
  needs: string;
}

const template = (path: Template["path"], id: Template["id"], refresh: Refresh, icon: LucideIcon, key: string, needs: string): Template => ({
  path,
  id,
  refresh,
  icon,
  key,
  needs,
  get name() {
    return words.templates[id].name;
  },
  get purpose() {
    return words.templates[id].purpose;
  },
});

export const TEMPLATES: readonly Template[] = [
  template("/executive", "executive", "900", LayoutDashboard, "e", "view_executive"),
  template("/performance", "performance", "300", ChartNoAxesCombined, "p", "view_campaigns"),
  template("/automation", "automation", "live", Activity, "a", "view_campaigns"),
  template("/platform", "platform", "60", Gauge, "h", "view_operations"),
  template("/forecasting", "forecasting", "3600", TrendingUp, "f", "view_campaigns"),
];

/** Not one of the dashboards: every kind of widget on one page, opened by its address or a command. */
export const GALLERY: Template = template("/gallery", "gallery", "300", LayoutGrid, "w", "view_campaigns");

// What each role opens first (SPEC F4): results, operation, detail.
const FIRST: readonly [role: string, path: Template["path"]][] = [
  ["cmo", "/executive"],
  ["admin", "/executive"],
  ["marketing_director", "/automation"],
  ["marketing_analyst", "/performance"],
  ["viewer", "/performance"],
];

/** The page that is opened when the address names none. */
export function firstPage(roles: readonly string[]): Template["path"] {
  return FIRST.find(([role]) => roles.includes(role))?.[1] ?? "/executive";
}
