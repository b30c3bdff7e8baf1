/** The pages and their addresses. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { FirstPage } from "./shell/first-page";
import { readSearch } from "./filters/search-state";
import { Layout } from "./shell/layout";
import { NotFound, PageFailed } from "./shell/page-failed";

const root = createRootRoute({ component: Layout, validateSearch: readSearch, notFoundComponent: NotFound });

const pages = [
  createRoute({ getParentRoute: () => root, path: "/", component: FirstPage }),
  createRoute({ getParentRoute: () => root, path: "/executive", component: lazyRouteComponent(() => import("./templates/overview"), "Executive") }),
  createRoute({ getParentRoute: () => root, path: "/performance", component: lazyRouteComponent(() => import("./templates/operation"), "Performance") }),
  createRoute({ getParentRoute: () => root, path: "/automation", component: lazyRouteComponent(() => import("./templates/operation"), "Automation") }),
  createRoute({ getParentRoute: () => root, path: "/platform", component: lazyRouteComponent(() => import("./templates/operation"), "PlatformHealth") }),
  createRoute({ getParentRoute: () => root, path: "/gallery", component: lazyRouteComponent(() => import("./templates/operation"), "Gallery") }),
  createRoute({ getParentRoute: () => root, path: "/forecasting", component: lazyRouteComponent(() => import("./templates/overview"), "Forecasting") }),
  createRoute({ getParentRoute: () => root, path: "/dashboards", component: lazyRouteComponent(() => import("./dashboards/dashboard-list"), "DashboardList") }),
  createRoute({ getParentRoute: () => root, path: "/dashboards/$dashboardId", component: lazyRouteComponent(() => import("./dashboards/dashboard-page"), "DashboardPage") }),
  createRoute({ getParentRoute: () => root, path: "/dashboards/$dashboardId/edit", component: lazyRouteComponent(() => import("./dashboards/dashboard-editor"), "DashboardEditor") }),
];

/** Plain `key=value`: what the page writes is read by people and put into links. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) if (value !== undefined && value !== "") given.set(key, String(value));
  const text = given.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return text && `?${text}`;
}

export const router = createRouter({
  routeTree: root.addChildren(pages),
  parseSearch,
  stringifySearch,
  defaultErrorComponent: PageFailed,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
