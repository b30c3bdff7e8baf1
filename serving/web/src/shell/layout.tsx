/** The frame of every page: navigation, title, filters, and what the page says about its connection. */
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { Command, LogOut, Monitor, Moon, RefreshCw, Sun, Building2 } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { Button } from "react-aria-components/Button";
import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { AlertState } from "../gen/tributary/v1/alerts_pb";
import { DefaultRefresh } from "../data/selection";
import { useLiveAlerts } from "../data/live";
import { LiveRefresh } from "../data/live-refresh";
import { signOut, useAccess } from "../data/session";
import { CUSTOM, isCustom } from "../dashboards/page";
import { FilterBar } from "../filters/filter-bar";
import { Picker } from "../filters/picker";
import { LAST_TENANT, REFRESH, useChangeSearch, useDashboardState, type Refresh } from "../filters/search-state";
import { useUndoKeys } from "../filters/undo";
import { ConnectionStatus } from "./connection-status";
import { useGoKeys } from "./go-keys";
import { SignIn } from "./sign-in";
import { TEMPLATES } from "./templates";
import { TenantChooser } from "./tenant-chooser";
import { chooseTheme, useThemeChoice, type ThemeChoice } from "./theme";
import "./layout.css";

// Loaded when they are opened first.
const ConversionPanel = lazy(() => import("../widgets/conversion-panel"));
const CommandPalette = lazy(() => import("./command-palette"));

const THEMES: Record<ThemeChoice, { next: ThemeChoice; icon: typeof Sun; name: string }> = {
  system: { next: "light", icon: Monitor, name: "as the system" },
  light: { next: "dark", icon: Sun, name: "light" },
  dark: { next: "system", icon: Moon, name: "dark" },
};

export function Layout() {
  const { pathname } = useLocation();
  const template = TEMPLATES.find(({ path }) => path === pathname) ?? (isCustom(pathname) ? CUSTOM : TEMPLATES[0]);
  const { tenant, conversion } = useDashboardState();
  const [palette, setPalette] = useState<"never" | "open" | "closed">("never");
  const openPalette = useCallback(() => setPalette("open"), []);
  const explained = useEver(conversion !== undefined);
  const [changing, setChanging] = useState(false);
  const content = useRef<HTMLElement>(null);
  const access = useAccess();
  useUndoKeys();
  useGoKeys(openPalette);
  useEffect(() => {
    document.title = `${template?.name ?? "Dashboard"} · Tributary`;
  }, [template]);
  useEffect(() => {
    if (!tenant) return;
    try {
      localStorage.setItem(LAST_TENANT, tenant);
    } catch {
      // Storage is refused: the tenant is asked for again next time.
    }
  }, [tenant]);
  if (!template) return null;
  if (access.known === "signed-out") return <SignIn />;
  const barred = access.known === "session" && !access.session.all_tenants && tenant !== "" && !(tenant in access.session.tenants);
  if (!tenant || barred || changing) {
    return <TenantChooser access={access} onDone={() => setChanging(false)} cancel={tenant !== "" && !barred} />;
  }
  return (
    <DefaultRefresh.Provider value={template.refresh}>
      <a
        className="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          content.current?.focus();
        }}
      >
        Skip to the figures
      </a>
      <div className="app">
        <Sidebar onTenant={() => setChanging(true)} onPalette={openPalette} />
        <div className="page">
          <header className="topbar">
            <div className="topbar-title">
              <h1>{template.name}</h1>
              <p>{template.purpose}</p>
            </div>
            <div className="topbar-tools">
              <ConnectionStatus />
              <RefreshPicker byTemplate={template.refresh} />
            </div>
            <FilterBar campaigns={template.path !== "/platform"} />
          </header>
          <main id="content" ref={content} tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
      <LiveRefresh />
      <Suspense fallback={null}>
        {explained && <ConversionPanel />}
        {palette !== "never" && (
          <CommandPalette open={palette === "open"} onOpenChange={(open) => setPalette(open ? "open" : "closed")} onTenant={() => setChanging(true)} />
        )}
      </Suspense>
    </DefaultRefresh.Provider>
  );
}

/** True from the first time on that `value` is: what was opened once stays, so that it can close in its own way. */
function useEver(value: boolean): boolean {
  const ever = useRef(value);
  ever.current ||= value;
  return ever.current;
}

function Sidebar({ onTenant, onPalette }: { onTenant: () => void; onPalette: () => void }) {
  const { tenant } = useDashboardState();
  const access = useAccess();
  const alerts = useLiveAlerts(tenant);
  const raised = [...alerts.items.values()].filter(({ state }) => state === AlertState.RAISED).length;
  const choice = useThemeChoice();
  const { icon: ThemeIcon, next, name } = THEMES[choice];
  return (
    <aside className="sidebar">
      <p className="brand">
        <img src="/favicon.svg" alt="" width={26} height={26} />
        <span>Tributary</span>
      </p>
      <Button className="button button-quiet tenant-button" onPress={onTenant} aria-label={`Tenant ${tenant}. Change it`}>
        <Building2 size={15} aria-hidden />
        <span>{tenant}</span>
      </Button>
      <nav aria-label="Dashboards">
        <ul>
          {TEMPLATES.map(({ path, name: label, icon: Icon }) => (
            <li key={path}>
              <Link to={path} search={((before: object) => ({ ...before, conversion: undefined, refresh: undefined })) as never} className="nav-link">
                <Icon size={17} aria-hidden />
                <span className="nav-name">{label}</span>
                {path === "/automation" && raised > 0 && (
                  <span className="nav-count">
                    {raised}
                    <span className="hidden-text"> raised alerts</span>
                  </span>
                )}
              </Link>
            </li>
          ))}
          <li>
            <Link to={CUSTOM.path} search={((before: object) => ({ ...before, conversion: undefined, refresh: undefined })) as never} className="nav-link">
              <CUSTOM.icon size={17} aria-hidden />
              <span className="nav-name">{CUSTOM.name}</span>
            </Link>
          </li>
        </ul>
      </nav>
      <div className="sidebar-end">
        {access.known === "session" && !access.session.all_tenants && (
          <Button className="button button-quiet" aria-label="Sign out" onPress={() => void signOut()}>
            <LogOut size={15} aria-hidden />
            <span>Sign out</span>
          </Button>
        )}
        <Button className="button button-quiet" onPress={onPalette} aria-label="Commands Ctrl K" aria-keyshortcuts="Control+K">
          <Command size={15} aria-hidden />
          {/* The space makes the visible text the words of the label. */}
          <span>Commands</span> <kbd>Ctrl K</kbd>
        </Button>
        <Button className="button button-quiet" onPress={() => chooseTheme(next)} aria-label={`Theme: ${name}. Change to ${THEMES[next].name}`}>
          <ThemeIcon size={15} aria-hidden />
          <span>Theme {name}</span>
        </Button>
      </div>
    </aside>
  );
}

function RefreshPicker({ byTemplate }: { byTemplate: Refresh }) {
  const { refresh } = useDashboardState();
  const change = useChangeSearch();
  const client = useQueryClient();
  const busy = useIsFetching() > 0;
  const chosen = refresh ?? byTemplate;
  return (
    <>
      <Picker
        label="Refresh"
        summary={REFRESH[chosen]}
        choices={Object.entries(REFRESH).map(([id, label]) => ({ id, label, note: id === byTemplate ? "default" : undefined }))}
        chosen={[chosen]}
        onChoose={([id]) => change({ refresh: id === byTemplate ? undefined : (id as Refresh) })}
      />
      <Button className="button button-icon" aria-label="Read all figures again" onPress={() => void client.invalidateQueries()}>
        <RefreshCw size={15} aria-hidden className={busy ? "turning" : undefined} />
      </Button>
    </>
  );
}
