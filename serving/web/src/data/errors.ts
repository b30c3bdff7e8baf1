/** Errors of calls, in words for the person who looks at the page. */
import { Code, ConnectError } from "@connectrpc/connect";

export interface Problem {
  title: string;
  detail: string;
  /** False when asking again cannot help. */
  retry: boolean;
}

const WORDS: Partial<Record<Code, [title: string, retry: boolean]>> = {
  [Code.InvalidArgument]: ["The server does not accept this selection", false],
  [Code.NotFound]: ["Not found", false],
  [Code.PermissionDenied]: ["You may not see this", false],
  [Code.Unauthenticated]: ["You are not signed in", false],
  [Code.ResourceExhausted]: ["The server is at its limit", true],
  [Code.DeadlineExceeded]: ["The answer took too long", true],
  [Code.Unavailable]: ["The server does not answer", true],
  [Code.Internal]: ["The server failed", true],
  [Code.Unimplemented]: ["This server does not know the question", false],
};

export function describe(error: unknown): Problem {
  const cause = ConnectError.from(error);
  const [title, retry] = WORDS[cause.code] ?? ["The server does not answer", true];
  // A fetch that found no server says so in the browser's own words, which help nobody.
  const lost = cause.code === Code.Unknown || /failed to fetch|networkerror|load failed/i.test(cause.rawMessage);
  return { title, detail: lost ? "It may be restarting. The page asks again by itself." : cause.rawMessage, retry };
}

export function mayRetry(error: unknown): boolean {
  return describe(error).retry;
}
