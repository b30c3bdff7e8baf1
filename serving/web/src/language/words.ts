/** The words of the page, in the language that was chosen, else in the browser's. English is always there; another language is a file of
 * its own that is loaded before the first paint. Read `words` while rendering, never when a module is loaded. */
import { english } from "./english";

export type Words = typeof english;

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "tributary.language";
const others: Record<Exclude<Language, "en">, () => Promise<Words>> = { de: async () => (await import("./german")).german };

export let words: Words = english;

function isLanguage(name: string | null | undefined): name is Language {
  return name !== null && name !== undefined && name in LANGUAGES;
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const language: Language = choose();

function choose(): Language {
  const chosen = kept();
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

/** How numbers and dates are written: as the browser's own locale of the language has it, so that en-US and en-GB stay apart. */
export const locale: string = navigator.languages.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;

/** To be awaited before anything is rendered. Without the file the page stays English. */
export async function loadWords(): Promise<void> {
  document.documentElement.lang = language;
  if (language === "en") return;
  try {
    words = await others[language]();
  } catch {
    document.documentElement.lang = "en";
  }
}

/** Keeps the choice and opens the page anew: what it shows is in the address. */
export function chooseLanguage(next: Language): void {
  try {
    localStorage.setItem(KEY, next);
  } catch {
    return;
  }
  window.location.reload();
}
