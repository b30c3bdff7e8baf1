/** Tables as CSV (RFC 4180) that a spreadsheet opens as figures and never as formulas. */
import type { TableData } from "./figure-table";

function cell(value: string | number | bigint): string {
  if (typeof value !== "string") return String(value);
  // A name that begins like a formula would be run by a spreadsheet; a number may begin with a minus.
  const safe = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv({ columns, rows }: TableData): string {
  const head = columns.map(({ label, unit }) => cell(unit ? `${label} (${unit})` : label));
  return [head.join(","), ...rows.map(({ cells }) => cells.map(({ text, raw }) => cell(raw ?? text)).join(","))].join("\r\n");
}

export function saveCsv(title: string, table: TableData): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", toCsv(table), "\r\n"], { type: "text/csv" }));
  link.download = `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
