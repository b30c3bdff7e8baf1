/** The words of custom dashboards. They are a part of the catalogue that comes with these pages, so that the first page loads without
 * them: whoever imports this module waits for the language that was chosen. */
import { englishBoards } from "./english-boards";
import { language, type Language } from "./words";

export type BoardWords = typeof englishBoards;

const others: Record<Exclude<Language, "en">, () => Promise<BoardWords>> = { de: async () => (await import("./german-boards")).germanBoards };

// Without the file the pages stay English, as those of the main catalogue do.
export const boardWords: BoardWords = language === "en" ? englishBoards : await others[language]().catch(() => englishBoards);
