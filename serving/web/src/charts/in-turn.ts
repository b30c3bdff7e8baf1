/** Work that is done one piece a frame, in the order in which it was asked for, so that between two pieces a page can be painted and
 * pressed. */

const waiting: (() => void)[] = [];

function next(): void {
  const work = waiting.shift();
  // Before the work, which may fail: what waits behind it is done all the same.
  if (waiting.length > 0) requestAnimationFrame(next);
  work?.();
}

/** Does it in one of the next frames. The page of a hidden tab has none: it is done when it is looked at. */
export function inTurn(work: () => void): void {
  waiting.push(work);
  if (waiting.length === 1) requestAnimationFrame(next);
}
