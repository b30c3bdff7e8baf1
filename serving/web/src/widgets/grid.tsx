/** The widgets of a page on twelve columns. When the page is opened, those of the first screen are drawn first and the others after them, a
 * few between two frames, so that what is seen does not wait for what is below it. */
import { Children, useEffect, useState, type ReactNode } from "react";

// The first rows of a screen, and so many more as a slow processor draws between two frames.
const FIRST = 4;
const MORE = 2;

// Pages that are opened from another one are drawn at once: their scripts and most of their figures are there.
let opened = false;

export function Grid({ children }: { children: ReactNode }) {
  const all = Children.toArray(children);
  const [drawn, setDrawn] = useState(opened ? all.length : FIRST);
  const rest = drawn < all.length;
  useEffect(() => {
    if (!rest) {
      opened = true;
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    // After the frame that shows what is drawn so far. A hidden page has no frames; it is drawn when it is looked at.
    const frame = requestAnimationFrame(() => {
      timer = setTimeout(() => setDrawn(drawn + MORE));
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, [drawn, rest]);
  return (
    <div className="grid" aria-busy={rest || undefined}>
      {all.slice(0, drawn)}
    </div>
  );
}
