/** Errors of calls, in words for the person who looks at the page. */
import { Code, ConnectError } from "@connectrpc/connect";
import { words } from "../language/words";

export interface Problem {
  title: string;
  detail: string;
  /** False when asking again cannot help. */
  retry: boolean;
}

const KNOWN: Partial<Record<Code, [title: keyof typeof words.errors, retry: boolean]>> = {
  [Code.InvalidArgument]: ["invalid", false],
  [Code.NotFound]: ["notFound", false],
  [Code.PermissionDenied]: ["denied", false],
  [Code.Unauthenticated]: ["signedOut", false],
  [Code.ResourceExhausted]: ["limit", true],
  [Code.DeadlineExceeded]: ["slow", true],
  [Code.Unavailable]: ["noAnswer", true],
  [Code.Internal]: ["failed", true],
  [Code.Unimplemented]: ["unknownQuestion", false],
};

export function describe(error: unknown): Problem {
  const cause = ConnectError.from(error);
  const [title, retry] = KNOWN[cause.code] ?? ["noAnswer", true];
  // A fetch that found no server says so in the browser's own words, which help nobody.
  const lost = cause.code === Code.Unknown || /failed to fetch|networkerror|load failed/i.test(cause.rawMessage);
  return { title: words.errors[title], detail: lost ? words.errors.restarting : cause.rawMessage, retry };
}

export function mayRetry(error: unknown): boolean {
  return describe(error).retry;
}

/** True when the session has ended: nobody is signed in any more. */
export function isSignedOut(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
