/** Light, dark, high contrast, or as the system says. The choice is kept in the browser; src/head/theme.js applies it before the first
 * paint. */
import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark", "contrast"] as const;
export type ThemeChoice = (typeof THEMES)[number];
export type Theme = Exclude<ThemeChoice, "system">;

const KEY = "tributary.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const contrast = window.matchMedia("(prefers-contrast: more)");
const forced = window.matchMedia("(forced-colors: active)");
const listeners = new Set<() => void>();

export function themeChoice(): ThemeChoice {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? "system";
  } catch {
    return "system";
  }
}

function apply(): void {
  const choice = themeChoice();
  const bySystem = contrast.matches ? "contrast" : dark.matches ? "dark" : "light";
  document.documentElement.dataset.theme = choice === "system" ? bySystem : choice;
  for (const listener of listeners) listener();
}

export function chooseTheme(choice: ThemeChoice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Storage is refused: the choice cannot be kept.
  }
  apply();
}

for (const query of [dark, contrast, forced]) query.addEventListener("change", apply);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The theme that is shown now; with colours forced by the system its name says so, as every colour is another. */
export function useTheme(): string {
  return useSyncExternalStore(subscribe, () => `${document.documentElement.dataset.theme ?? "light"}${forced.matches ? " forced" : ""}`);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, themeChoice);
}
