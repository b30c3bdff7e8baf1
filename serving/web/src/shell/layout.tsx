/** The frame of every page: navigation, title, filters, and what the page says about its connection. */
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { Building2, Command, Contrast, Languages, LogOut, Monitor, Moon, RefreshCw, Sun } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
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
import { LAST_TENANT, REFRESHES, useChangeSearch, useDashboardState, type Refresh } from "../filters/search-state";
import { useUndoKeys } from "../filters/undo";
import { ConnectionStatus } from "./connection-status";
import { useGoKeys } from "./go-keys";
import { NewerRelease } from "./newer-release";
import { SignIn } from "./sign-in";
import { RightsContext, rightsOf, useRights } from "../data/rights";
import { chooseLanguage, language, LANGUAGES, words, type Language } from "../language/words";
import { firstPage, GALLERY, TEMPLATES } from "./templates";
import { TenantChooser } from "./tenant-chooser";
import { chooseTheme, THEMES, useThemeChoice, type ThemeChoice } from "./theme";
import "./layout.css";

// Loaded when they are opened first.
const ConversionPanel = lazy(() => import("../widgets/conversion-panel"));
const CommandPalette = lazy(() => import("./command-palette"));

const THEME_ICONS: Record<ThemeChoice, typeof Sun> = { system: Monitor, light: Sun, dark: Moon, contrast: Contrast };

export function Layout() {
  const { pathname } = useLocation();
  const template = [...TEMPLATES, GALLERY].find(({ path }) => path === pathname) ?? (isCustom(pathname) ? CUSTOM : TEMPLATES[0]);
  const { tenant, conversion } = useDashboardState();
  const [palette, setPalette] = useState<"never" | "open" | "closed">("never");
  const openPalette = useCallback(() => setPalette("open"), []);
  const explained = useEver(conversion !== undefined);
  const [changing, setChanging] = useState(false);
  const content = useRef<HTMLElement>(null);
  const access = useAccess();
  const rights = useMemo(() => rightsOf(access, tenant), [access, tenant]);
  useUndoKeys();
  useGoKeys(openPalette);
  useEffect(() => {
    document.title = `${template?.name ?? ""} · Tributary`;
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
  if (access.known === "signed-out") return <SignIn because={access.expired ? "expired" : "signed-out"} />;
  const barred = access.known === "session" && !access.session.all_tenants && tenant !== "" && !(tenant in access.session.tenants);
  if (!tenant || barred || changing) {
    return <TenantChooser access={access} onDone={() => setChanging(false)} cancel={tenant !== "" && !barred} />;
  }
  if (access.known === "session" && access.session.tenants[tenant]?.mfa_required && !changing) return <SignIn because="mfa" />;
  return (
    <RightsContext.Provider value={rights}>
      <DefaultRefresh.Provider value={template.refresh}>
        <a
          className="skip"
          href="#content"
          onClick={(event) => {
            event.preventDefault();
            content.current?.focus();
          }}
        >
          {words.shell.skip}
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
              <NewerRelease />
              <FilterBar campaigns={template.path !== "/platform"} />
            </header>
            <main id="content" ref={content} tabIndex={-1}>
              {/* What a role may see is known before anything is asked for. */}
              {access.known !== "asking" && (pathname !== template.path || rights.may(template.needs) ? <Outlet /> : <NotThisPage roles={rights.roles} />)}
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
    </RightsContext.Provider>
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
  const rights = useRights();
  const ThemeIcon = THEME_ICONS[choice];
  return (
    <aside className="sidebar">
      <p className="brand">
        <img src="/favicon.svg" alt="" width={26} height={26} />
        <span>Tributary</span>
      </p>
      <Button className="button button-quiet tenant-button" onPress={onTenant} aria-label={words.shell.tenantButton(tenant)}>
        <Building2 size={15} aria-hidden />
        <span>{tenant}</span>
      </Button>
      <nav aria-label={words.shell.dashboards}>
        <ul>
          {TEMPLATES.filter(({ needs }) => rights.may(needs)).map(({ path, name: label, icon: Icon }) => (
            <li key={path}>
              <Link to={path} search={((before: object) => ({ ...before, conversion: undefined, refresh: undefined })) as never} className="nav-link">
                <Icon size={17} aria-hidden />
                <span className="nav-name">{label}</span>
                {path === "/automation" && raised > 0 && (
                  <span className="nav-count">
                    {raised}
                    <span className="hidden-text">{words.shell.raisedAlerts(raised)}</span>
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
        {rights.roles.length > 0 && <p className="sidebar-role">{words.shell.signedInAs(rights.roles.map((role) => words.shell.roles[role] ?? role).join(", "))}</p>}
        {access.known === "session" && !access.session.all_tenants && (
          <Button className="button button-quiet" aria-label={words.shell.signOut} onPress={() => void signOut()}>
            <LogOut size={15} aria-hidden />
            <span>{words.shell.signOut}</span>
          </Button>
        )}
        <Button className="button button-quiet" onPress={onPalette} aria-label={`${words.shell.commands} Ctrl K`} aria-keyshortcuts="Control+K">
          <Command size={15} aria-hidden />
          {/* The space makes the visible text the words of the label. */}
          <span>{words.shell.commands}</span> <kbd>Ctrl K</kbd>
        </Button>
        <Picker
          label={words.shell.theme}
          summary={words.shell.themes[choice]}
          icon={<ThemeIcon size={15} aria-hidden />}
          choices={THEMES.map((id) => ({ id, label: words.shell.themes[id] }))}
          chosen={[choice]}
          onChoose={([id]) => chooseTheme(id as ThemeChoice)}
        />
        <Picker
          label={words.shell.language}
          summary={LANGUAGES[language]}
          icon={<Languages size={15} aria-hidden />}
          choices={Object.entries(LANGUAGES).map(([id, label]) => ({ id, label }))}
          chosen={[language]}
          onChoose={([id]) => chooseLanguage(id as Language)}
        />
      </div>
    </aside>
  );
}

function NotThisPage({ roles }: { roles: readonly string[] }) {
  const path = firstPage(roles);
  const name = TEMPLATES.find((template) => template.path === path)?.name ?? "";
  return (
    <div className="widget-words page-words">
      <strong>{words.access.notYourRole}</strong>
      <p>{words.shell.notThisPage}</p>
      <Link to={path} search={((before: object) => before) as never}>
        {words.shell.goToYours(name)}
      </Link>
    </div>
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
        label={words.shell.refresh}
        summary={words.refresh[chosen]}
        choices={REFRESHES.map((id) => ({ id, label: words.refresh[id], note: id === byTemplate ? words.shell.default : undefined }))}
        chosen={[chosen]}
        onChoose={([id]) => change({ refresh: id === byTemplate ? undefined : (id as Refresh) })}
      />
      <Button className="button button-icon" aria-label={words.shell.readAgain} onPress={() => void client.invalidateQueries()}>
        <RefreshCw size={15} aria-hidden className={busy ? "turning" : undefined} />
      </Button>
    </>
  );
}
