/** One live stream: a snapshot, then changes, resumed with the server's cursor after a break. While it fails, server-sent events are
 * read instead, and while these fail too, the server is asked every few seconds.
 *
 * `getState` and `subscribe` fit React's useSyncExternalStore. Items are kept by key; a change replaces the item of its key.
 */

export type Phase =
  /** No message yet, or on the way back. */
  | "connecting"
  | "live"
  /** Streams fail: server-sent events come instead. */
  | "events"
  /** Nothing came for longer than the server's heartbeat: the connection is being replaced. */
  | "stalled"
  /** Streams and events fail: asked for instead, every few seconds. */
  | "polling"
  /** The browser says that there is no network. */
  | "offline";

export interface LiveState<T> {
  phase: Phase;
  items: ReadonlyMap<string, T>;
  /** When the last message came (this machine's clock, ms), and when items last changed. */
  heardAt: number | undefined;
  changedAt: number | undefined;
  /** True once a snapshot came. */
  known: boolean;
}

export interface LiveMessage<T> {
  cursor: string;
  kind: "snapshot" | "changes" | "heartbeat";
  items: T[];
}

export interface LiveSource<T> {
  open(cursor: string, signal: AbortSignal): AsyncIterable<LiveMessage<T>>;
  /** The same messages as server-sent events, which pass some proxies that hold streams back. */
  events(cursor: string, signal: AbortSignal): AsyncIterable<LiveMessage<T>>;
  poll(signal: AbortSignal): Promise<T[]>;
  key(item: T): string;
  /** Items for which this is true are forgotten, so that a page left open does not grow. */
  expired(item: T, now: number): boolean;
}

// The server sends a heartbeat every 10 s by default: after two and a half none came.
const STALL_MS = 25_000;
const FAILURES_UNTIL_ANOTHER_WAY = 3;
const POLL_MS = 5_000;
const STREAM_AGAIN_MS = 30_000;
const FIRST_BACK_OFF_MS = 300;
const LONGEST_BACK_OFF_MS = 10_000;
// Readers are told at most this often: more than eyes follow, fewer than would fill a frame with work.
const NOTIFY_MS = 150;

export class LiveStream<T> {
  private state: LiveState<T> = { phase: "connecting", items: new Map(), heardAt: undefined, changedAt: undefined, known: false };
  private readonly listeners = new Set<() => void>();
  private cursor = "";
  private running: AbortController | undefined;
  private notifying: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly source: LiveSource<T>) {}

  readonly getState = (): LiveState<T> => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    if (this.running) return;
    this.running = new AbortController();
    void this.run(this.running.signal);
  }

  stop(): void {
    this.running?.abort();
    this.running = undefined;
  }

  private async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      if (!navigator.onLine) {
        this.become("offline");
        await online(signal);
        this.become("connecting");
      }
      const heard = await this.read(signal, "live");
      if (signal.aborted) return;
      failures = heard ? 0 : failures + 1;
      if (failures >= FAILURES_UNTIL_ANOTHER_WAY && navigator.onLine) {
        if (!(await this.read(signal, "events"))) await this.pollForAWhile(signal);
        else failures = FAILURES_UNTIL_ANOTHER_WAY - 1;
      } else {
        if (this.state.phase === "live") this.become("connecting");
        const backOff = Math.min(FIRST_BACK_OFF_MS * 2 ** failures, LONGEST_BACK_OFF_MS);
        await pause(backOff * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  /** Reads one stream, or its events, to the end; true when anything came. */
  private async read(signal: AbortSignal, way: "live" | "events"): Promise<boolean> {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    window.addEventListener("offline", end);
    let heard = false;
    let timer = setTimeout(end, STALL_MS);
    try {
      const messages = way === "live" ? this.source.open(this.cursor, attempt.signal) : this.source.events(this.cursor, attempt.signal);
      for await (const message of messages) {
        heard = true;
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.become("stalled");
          end();
        }, STALL_MS);
        this.take(message, way);
      }
    } catch {
      // A cursor that the server refuses must not be given back for ever.
      if (!heard) this.cursor = "";
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      window.removeEventListener("offline", end);
    }
    return heard;
  }

  private async pollForAWhile(signal: AbortSignal): Promise<void> {
    const until = Date.now() + STREAM_AGAIN_MS;
    while (!signal.aborted && navigator.onLine && Date.now() < until) {
      try {
        const items = await this.source.poll(signal);
        this.take({ kind: "snapshot", items, cursor: "" }, "polling");
      } catch {
        if (this.state.phase !== "connecting") this.become("connecting");
        // The server is away: the stream is tried again first, as it may be back.
        await pause(LONGEST_BACK_OFF_MS / 4, signal);
        return;
      }
      await pause(POLL_MS, signal);
    }
  }

  private take(message: LiveMessage<T>, phase: Phase): void {
    this.cursor = message.cursor;
    const now = Date.now();
    const next: LiveState<T> = { ...this.state, phase, heardAt: now };
    if (message.kind !== "heartbeat") {
      const items = message.kind === "snapshot" ? new Map<string, T>() : new Map(this.state.items);
      for (const item of message.items) items.set(this.source.key(item), item);
      for (const [key, item] of items) if (this.source.expired(item, now)) items.delete(key);
      next.items = items;
      next.changedAt = now;
      next.known = true;
    }
    this.set(next, phase !== this.state.phase || !this.state.known);
  }

  private become(phase: Phase): void {
    this.set({ ...this.state, phase }, true);
  }

  private set(state: LiveState<T>, atOnce: boolean): void {
    this.state = state;
    if (atOnce) {
      this.notify();
    } else {
      this.notifying ??= setTimeout(() => this.notify(), NOTIFY_MS);
    }
  }

  private notify(): void {
    clearTimeout(this.notifying);
    this.notifying = undefined;
    for (const listener of this.listeners) listener();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

function online(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
