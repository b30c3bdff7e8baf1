/** The title that a custom dashboard gives a widget, in place of its own. */
import { createContext, useContext } from "react";

export const GivenTitle = createContext("");

export const useGivenTitle = (own: string): string => useContext(GivenTitle) || own;
