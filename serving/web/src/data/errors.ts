/** Errors of calls, in words for the person who looks at the page. */
import { BinaryReader } from "@bufbuild/protobuf/wire";
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

type Reason = keyof typeof words.server.refusals;

const isReason = (text: string): text is Reason => text in words.server.refusals;

// `google.rpc.ErrorInfo.reason`, as bytes: field 1, a text.
const ERROR_INFO = "google.rpc.ErrorInfo";
const REASON_FIELD = 1;

/** The stable reason of a refusal, absent when the error is not the server's own or its reason is newer than this page. */
function reasonOf(error: ConnectError): Reason | undefined {
  for (const detail of error.details) {
    if (!("type" in detail) || detail.type !== ERROR_INFO) continue;
    const reader = new BinaryReader(detail.value);
    if (reader.len === 0 || reader.tag()[0] !== REASON_FIELD) continue;
    const reason = reader.string();
    return isReason(reason) ? reason : undefined;
  }
  return undefined;
}

/** What the server says of a refusal, in the language of the page. */
export function reasonIn(error: unknown): string {
  const cause = ConnectError.from(error);
  const reason = reasonOf(cause);
  return reason === undefined ? cause.rawMessage : words.server.refusals[reason];
}

export function describe(error: unknown): Problem {
  const cause = ConnectError.from(error);
  const [title, retry] = KNOWN[cause.code] ?? ["noAnswer", true];
  // A fetch that found no server says so in the browser's own words, which help nobody.
  const lost = cause.code === Code.Unknown || /failed to fetch|networkerror|load failed/i.test(cause.rawMessage);
  return { title: words.errors[title], detail: lost ? words.errors.restarting : reasonIn(cause), retry };
}

export function mayRetry(error: unknown): boolean {
  return describe(error).retry;
}

/** True when the session has ended: nobody is signed in any more. */
export function isSignedOut(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
