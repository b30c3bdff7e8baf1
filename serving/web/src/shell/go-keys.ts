/** Keys that work everywhere: Control-K opens the commands, G and a letter a template, as long as no text is being typed. */
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { CUSTOM } from "../dashboards/page";
import { TEMPLATES } from "./templates";

// The letter must follow the G within this time.
const PAIR_MS = 1_200;

export function useGoKeys(openPalette: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let prefixAt = 0;
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openPalette();
        return;
      }
      const { target } = event;
      const typing = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      const inList = target instanceof HTMLElement && target.closest("[role=menu],[role=listbox],[role=dialog]") !== null;
      if (typing || inList || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "g") {
        prefixAt = event.timeStamp;
      } else if (event.timeStamp - prefixAt < PAIR_MS) {
        prefixAt = 0;
        const template = [...TEMPLATES, CUSTOM].find(({ key }) => key === event.key);
        if (template) void navigate({ to: template.path, search: (before: object) => before } as never);
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [navigate, openPalette]);
}
