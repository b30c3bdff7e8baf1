/** The height that something asks for, as a custom property: style sheets decide whether it is the least, or whether a grid decides. */
import type { CSSProperties } from "react";

export const ownHeight = (height: number): CSSProperties => ({ "--own-height": `${height}px` }) as CSSProperties;
