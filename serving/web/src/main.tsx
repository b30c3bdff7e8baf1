import { PersistQueryClientProvider } from "@tanstack/react-query-persist-client";
import { RouterProvider } from "@tanstack/react-router";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter";
import "./styles/tokens.css";
import "./styles/base.css";
import { persistence, queryClient } from "./data/last-known";
import { loadWords, locale } from "./language/words";
import { router } from "./routes";

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no element with the id root");

const tenant = () => new URLSearchParams(window.location.search).get("tenant") ?? "";

await loadWords();

createRoot(place).render(
  <StrictMode>
    <PersistQueryClientProvider client={queryClient} persistOptions={persistence(tenant)}>
      <I18nProvider locale={locale}>
        <RouterProvider router={router} />
      </I18nProvider>
    </PersistQueryClientProvider>
  </StrictMode>,
);

// After the page is shown: the worker only keeps files for the time without a network.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  window.addEventListener("load", () => void navigator.serviceWorker.register("/service-worker.js").catch(() => undefined));
}
