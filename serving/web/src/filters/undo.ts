/** Undo: every choice is a step of the browser's history, so undo is a step back, as long as the step before is ours. */
import { useCanGoBack, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect } from "react";

export function useUndo(): { possible: boolean; undo: () => void } {
  const router = useRouter();
  const possible = useCanGoBack();
  const undo = useCallback(() => router.history.back(), [router]);
  return { possible, undo };
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Control-Z (Command-Z) undoes, with Shift it redoes, unless a text is being typed. */
export function useUndoKeys(): void {
  const router = useRouter();
  const { possible, undo } = useUndo();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || isTyping(event.target)) return;
      event.preventDefault();
      if (event.shiftKey) router.history.forward();
      else if (possible) undo();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [router, possible, undo]);
}
