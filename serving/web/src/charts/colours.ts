/** The theme's colours as values, for a canvas, which does not read custom properties. */
import { useMemo } from "react";
import { useTheme } from "../shell/theme";

export interface Colours {
  of: (property: string) => string;
}

// A canvas library does not know the names that forced colours have, such as CanvasText: the browser is asked what they are.
function resolved(colour: string): string {
  if (!/^[A-Z]/.test(colour)) return colour;
  const probe = document.createElement("i");
  probe.style.color = colour;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export function useColours(): Colours {
  const theme = useTheme();
  return useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    const known = new Map<string, string>();
    return {
      theme,
      of: (property: string) => {
        let value = known.get(property);
        if (value === undefined) {
          value = resolved(style.getPropertyValue(property).trim());
          known.set(property, value);
        }
        return value;
      },
    };
  }, [theme]);
}
