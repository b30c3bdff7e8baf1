/** Files of figures. The server makes them: it checks who may have them and writes down who had them. */
import { words } from "../language/words";
import type { Subject } from "./rights";
import type { DashboardState } from "../filters/search-state";
import type { Span } from "../filters/date-range";

/** An answer as a file: a chart id of REST and its parameters (docs: /api/openapi.json). */
export interface ServerFile {
  chart: string;
  subject: Subject;
  parameters: Record<string, string | number>;
}

/** Of one question of several, such as those of a cohort table, each answer is a part of the file. */
export type ServerFiles = readonly ServerFile[];

// A selection with more pages than this is for a program, not for a page.
const MOST_PAGES = 20;
const TIMEOUT_MS = 60_000;

export function rangeParameters({ start, end }: Span): Record<string, string> {
  return { start: new Date(Math.round(start)).toISOString(), end: new Date(Math.round(end)).toISOString() };
}

/** The filters as parameters. Commas part values there, so ids are put into the filter text instead. */
export function selectionParameters(state: DashboardState): Record<string, string> {
  const any = (name: string, values: readonly string[]) => (values.length ? [`(${values.map((value) => `${name} = ${JSON.stringify(value)}`).join(" OR ")})`] : []);
  const parts = [...any("campaign", state.campaigns), ...any("channel", state.channels), ...any("currency", state.currency ? [state.currency] : [])];
  return parts.length ? { filter: parts.join(" AND ") } : {};
}

export class ExportRefused extends Error {}

async function pages(tenant: string, file: ServerFile): Promise<string> {
  let text = "";
  let token = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = new URLSearchParams({ tenant_id: tenant, format: "csv" });
    for (const [name, value] of Object.entries(file.parameters)) query.set(name, String(value));
    if (token) query.set("page_token", token);
    const response = await fetch(`/api/v1/dashboard/charts/${file.chart}?${query}`, { headers: { accept: "text/csv" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) {
      const body = (await response.json().catch(() => ({}))) as { error?: { message?: string; reason?: string } };
      const said = words.server.refusals[body.error?.reason as keyof typeof words.server.refusals] as string | undefined;
      throw new ExportRefused(said ?? body.error?.message ?? words.errors.noAnswer);
    }
    const part = await response.text();
    // The names of the columns are on every page.
    text += page === 0 ? part : part.slice(part.indexOf("\n") + 1);
    token = response.headers.get("x-next-page-token") ?? "";
    if (!token) return text;
  }
  throw new ExportRefused(words.export.tooLong);
}

/** Saves the file. Raises ExportRefused with the server's words when it may not be had. */
export async function saveFile(title: string, tenant: string, files: ServerFiles): Promise<void> {
  const parts: string[] = [];
  for (const file of files) parts.push(await pages(tenant, file));
  const [first = "", ...others] = parts;
  const text = [first, ...others.map((part) => part.slice(part.indexOf("\n") + 1))].join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  link.download = `${title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
