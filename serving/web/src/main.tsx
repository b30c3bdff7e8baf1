import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter";
import "./styles/tokens.css";
import "./styles/base.css";
import { keepLastKnown, queryClient, readLastKnown } from "./data/last-known";
import { loadWords, locale } from "./language/words";
import { keepFiles } from "./offline/keep-files";
import { router } from "./routes";

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no element with the id root");

const tenant = () => new URLSearchParams(window.location.search).get("tenant") ?? "";

// The code of the page comes while words and figures are read, not after the frame was drawn.
for (const { routeId } of router.matchRoutes(router.latestLocation)) {
  const route = router.routesById[routeId as keyof typeof router.routesById];
  void Promise.resolve(router.loadRouteChunk(route as never)).catch(() => undefined);
}

// A browser's database may be slow: after this long the page is shown without what was kept, which comes when it comes.
const PATIENCE_MS = 500;
const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
const lastKnown = readLastKnown();
await Promise.all([loadWords(), Promise.race([lastKnown, patience])]);
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
