/** The server's time, as its answers tell it: ages and "now" do not depend on the clock of the browser's machine. */
let offset = 0;

/** Notes when an answer was made. The way here took some milliseconds, which does not matter for ages in seconds. */
export function noteServerTime(answeredAtMs: number): void {
  offset = answeredAtMs - Date.now();
}

export function serverNow(): number {
  return Date.now() + offset;
}
