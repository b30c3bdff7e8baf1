/** What an answer says about itself, and how that is said in words. */
import { Source, type Freshness } from "../gen/tributary/v1/freshness_pb";
import { writeAge, writeClock, writeTime } from "../figures/format";
import { words } from "../language/words";
import { lengthMs, toMs } from "./protobuf-time";
import { noteServerTime, serverNow } from "./server-clock";

export interface Provenance {
  /** End of the newest figure; undefined when there is none. UTC ms. */
  through: number | undefined;
  answeredAt: number;
  revision: bigint;
  source: Source;
  degraded: boolean;
  degradedReason: string;
  /** How old the figures were when the answer was made, ms. */
  ageMs: number;
}

export function readProvenance(freshness: Freshness | undefined): Provenance {
  const answeredAt = toMs(freshness?.answeredAt) ?? serverNow();
  noteServerTime(answeredAt);
  return {
    through: toMs(freshness?.dataThrough),
    answeredAt,
    revision: freshness?.revision ?? 0n,
    source: freshness?.source ?? Source.UNSPECIFIED,
    degraded: freshness?.degraded ?? false,
    degradedReason: freshness?.degradedReason ?? "",
    ageMs: lengthMs(freshness?.age),
  };
}

// Revisions above this are microseconds since the epoch; smaller ones are counts (2001-09-09 in microseconds).
const FIRST_TIME_REVISION = 1_000_000_000_000_000n;

/** "Figures through 14:03:05 · revised 14:02:11". */
export function writeFreshness(provenance: Provenance, timeZone: string): string {
  const { through, answeredAt, revision } = provenance;
  if (through === undefined) return words.freshness.none(writeClock(answeredAt, timeZone));
  const sameDay = answeredAt - through < 43_200_000;
  const end = sameDay ? writeClock(through, timeZone) : writeTime(through, timeZone);
  return words.freshness.through(end, writeRevision(revision, timeZone));
}

export function writeRevision(revision: bigint, timeZone: string): string {
  if (revision === 0n) return "";
  if (revision < FIRST_TIME_REVISION) return words.freshness.revision(String(revision));
  return words.freshness.revised(writeClock(Number(revision / 1000n), timeZone));
}

/** Why an answer is degraded and how old its figures are; undefined when it is not. */
export function writeDegraded(provenance: Provenance): string | undefined {
  if (!provenance.degraded) return undefined;
  const reason = words.freshness.reasons[provenance.degradedReason] ?? words.freshness.otherReason;
  const age = provenance.ageMs + Math.max(0, serverNow() - provenance.answeredAt);
  return words.freshness.degraded(reason, writeAge(age));
}
