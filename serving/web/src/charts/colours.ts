/** The theme's colours as values, for a canvas, which does not read custom properties. */
import { useMemo } from "react";
import { useTheme } from "../shell/theme";

export interface Colours {
  of: (property: string) => string;
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
          value = style.getPropertyValue(property).trim();
          known.set(property, value);
        }
        return value;
      },
    };
  }, [theme]);
}
