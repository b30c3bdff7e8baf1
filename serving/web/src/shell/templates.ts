/** The five templates: names, addresses, the keys that open them, and how often each is read again (SPEC F1). */
import { Activity, ChartNoAxesCombined, Gauge, LayoutDashboard, TrendingUp, type LucideIcon } from "lucide-react";
import type { Refresh } from "../filters/search-state";

export interface Template {
  path: "/executive" | "/performance" | "/automation" | "/platform" | "/forecasting";
  name: string;
  purpose: string;
  refresh: Refresh;
  icon: LucideIcon;
  /** Pressed after G. */
  key: string;
}

export const TEMPLATES: readonly Template[] = [
  { path: "/executive", name: "Executive", purpose: "What marketing earned and cost", refresh: "900", icon: LayoutDashboard, key: "e" },
  { path: "/performance", name: "Performance", purpose: "Channels, campaigns and conversions in detail", refresh: "300", icon: ChartNoAxesCombined, key: "p" },
  { path: "/automation", name: "Automation", purpose: "What happens now, and what rules raised", refresh: "live", icon: Activity, key: "a" },
  { path: "/platform", name: "Platform health", purpose: "Records counted, quarantined and late; how fresh figures are", refresh: "60", icon: Gauge, key: "h" },
  { path: "/forecasting", name: "Forecasting", purpose: "Where the figures are heading", refresh: "3600", icon: TrendingUp, key: "f" },
];
