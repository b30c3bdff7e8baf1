import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter";
import "./styles/tokens.css";
import "./styles/base.css";
import { keepLastKnown, queryClient, readLastKnown } from "./data/last-known";
import { askAccess } from "./data/session";
import { loadWords, locale } from "./language/words";
import { keepFiles } from "./offline/keep-files";
import { router } from "./routes";

const tenant = () => new URLSearchParams(window.location.search).get("tenant") ?? "";

// A browser's database or the server may be slow: after this long the frame is shown without what was kept, which comes when it comes.
const PATIENCE_MS = 500;

/** Draws the page once, with its code, its figures and its reader's rights at hand, and not the frame first and each of these after it. */
async function open(place: HTMLElement): Promise<void> {
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  const code = router.matchRoutes(router.latestLocation).map(({ routeId }) => router.loadRouteChunk(router.routesById[routeId as keyof typeof router.routesById] as never));
  // Ends when the page is drawn, so nothing waits for it here; its faults are the router's to show.
  void router.load();
  const lastKnown = readLastKnown();
  await Promise.all([loadWords(), Promise.race([Promise.allSettled([askAccess(lastKnown), ...code]), patience])]);
  void lastKnown.then(() => keepLastKnown(tenant));
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <I18nProvider locale={locale}>
          <RouterProvider router={router} />
        </I18nProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
  if (import.meta.env.PROD) keepFiles();
}

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element with the id root");
// Not awaited: the code of the pages imports from this file's, and would wait for it.
void open(root);
