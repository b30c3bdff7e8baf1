/** Times and lengths of time of messages, in milliseconds. */
import { create } from "@bufbuild/protobuf";
import { type Duration, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

export function toMs(moment: Timestamp | undefined): number | undefined {
  return moment && Number(moment.seconds) * 1000 + Math.floor(moment.nanos / 1_000_000);
}

export function fromMs(ms: number): Timestamp {
  const whole = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(whole), nanos: Math.round(ms - whole * 1000) * 1_000_000 });
}

export function lengthMs(length: Duration | undefined): number {
  return length ? Number(length.seconds) * 1000 + length.nanos / 1_000_000 : 0;
}
