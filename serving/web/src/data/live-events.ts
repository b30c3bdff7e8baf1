/** Live streams as server-sent events: the same messages as over Connect, as JSON. */
import { fromJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";

/** The streams that `/api/v1/dashboard/realtime` knows. */
export type StreamName = "campaigns" | "attribution" | "alerts";

// The kinds of a message of a stream (oneof `update`) are the names of its events.
const KINDS = ["snapshot", "changes", "heartbeat"];

/** Yields the messages of a stream until the connection fails or `signal` aborts; then it throws. The source's own reconnecting is not
 * used: which way to try next is decided by the reader. */
export async function* readEvents<D extends DescMessage>(schema: D, tenant: string, stream: StreamName, cursor: string, signal: AbortSignal): AsyncGenerator<MessageShape<D>> {
  const query = new URLSearchParams({ stream, ...(cursor && { resume_cursor: cursor }) });
  const source = new EventSource(`/api/v1/dashboard/realtime/${encodeURIComponent(tenant)}?${query}`);
  const waiting: MessageShape<D>[] = [];
  let failed = signal.aborted;
  let wake = () => {};
  const fail = () => {
    failed = true;
    wake();
  };
  for (const kind of KINDS) {
    source.addEventListener(kind, (event: MessageEvent<string>) => {
      try {
        waiting.push(fromJson(schema, JSON.parse(event.data) as JsonValue, { ignoreUnknownFields: true }));
      } catch {
        failed = true;
      }
      wake();
    });
  }
  // Both the failure of the connection and an event of the server that is called so.
  source.addEventListener("error", fail);
  signal.addEventListener("abort", fail);
  try {
    for (;;) {
      const message = waiting.shift();
      if (message) yield message;
      else if (failed) throw new Error("the events ended");
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    source.close();
    signal.removeEventListener("abort", fail);
  }
}
