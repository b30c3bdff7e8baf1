/** A dashboard as a JSON file: written from what is shown, and read with an error that names what is wrong and where. The server checks
 * the whole again. */
import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { DashboardLayoutSchema } from "../gen/tributary/v1/dashboards_pb";
import { METRICS } from "../figures/metrics";
import { readDraft, writeLayout, type Draft } from "./draft";
import { LEAST, COLUMNS, MOST_WIDGETS, overlap, TALLEST } from "./place";
import { isKind, KIND_IDS, WIDGET_KINDS, type Setting } from "./widget-kinds";

const FORMAT = "tributary.dashboard";
const FORMAT_VERSION = 1;
// As the server has it.
const MOST_BYTES = 64 * 1024;

export class FileProblem extends Error {}

export function writeFile(draft: Draft): string {
  const layout = toJson(DashboardLayoutSchema, create(DashboardLayoutSchema, writeLayout(draft)));
  return `${JSON.stringify({ format: FORMAT, format_version: FORMAT_VERSION, title: draft.title, layout }, undefined, 2)}\n`;
}

/** Throws FileProblem. */
export function readFile(text: string): Draft {
  if (new TextEncoder().encode(text).length > MOST_BYTES) throw new FileProblem(`The file is larger than ${MOST_BYTES / 1024} KiB.`);
  const file = parse(text);
  if (file.format !== FORMAT) throw new FileProblem(`format: must be "${FORMAT}".`);
  if (file.format_version !== FORMAT_VERSION) throw new FileProblem(`format_version: must be ${FORMAT_VERSION}.`);
  if (typeof file.title !== "string" || !file.title.trim() || file.title.length > 100) throw new FileProblem("title: must have 1 to 100 characters.");
  const unknown = Object.keys(file).find((key) => !["format", "format_version", "title", "layout"].includes(key));
  if (unknown) throw new FileProblem(`${unknown}: is not known.`);
  try {
    const layout = fromJson(DashboardLayoutSchema, (file.layout ?? {}) as JsonValue);
    const draft = readDraft({ title: file.title.trim(), layout } as Parameters<typeof readDraft>[0]);
    check(draft);
    return draft;
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    const detail = error instanceof Error ? error.message.replace(/^cannot decode message tributary\.v1\./, "") : "";
    throw new FileProblem(`layout: ${detail || "is not a layout"}.`);
  }
}

function parse(text: string): Record<string, unknown> {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new FileProblem("The file is not JSON.");
  }
  if (typeof file !== "object" || file === null || Array.isArray(file)) throw new FileProblem("The file must hold one JSON object.");
  return file as Record<string, unknown>;
}

function check({ widgets }: Draft): void {
  if (widgets.length > MOST_WIDGETS) throw new FileProblem(`layout.widgets: must not be more than ${MOST_WIDGETS}.`);
  widgets.forEach(({ id, kind, area, settings }, index) => {
    const path = `layout.widgets[${index}]`;
    if (!isKind(kind)) throw new FileProblem(`${path}.kind: "${kind}" is not known; allowed: ${KIND_IDS.join(", ")}.`);
    if (widgets.findIndex((other) => other.id === id) !== index) throw new FileProblem(`${path}.widget_id: "${id}" is used twice.`);
    if (area.width < LEAST || area.column < 0 || area.column + area.width > COLUMNS) {
      throw new FileProblem(`${path}.area: must lie within ${COLUMNS} columns and be at least ${LEAST} wide.`);
    }
    if (area.height < LEAST || area.height > TALLEST || area.row < 0) throw new FileProblem(`${path}.area: must be ${LEAST} to ${TALLEST} rows high.`);
    const met = widgets.findIndex((other, earlier) => earlier < index && overlap(other.area, area));
    if (met >= 0) throw new FileProblem(`${path}.area: overlaps layout.widgets[${met}].`);
    const { required } = WIDGET_KINDS[kind];
    const missing = required.find((name: Setting) => settings[name] === undefined);
    if (missing) throw new FileProblem(`${path}.settings.${missing}: is required for the kind ${kind}.`);
    if (settings.metric && !Object.hasOwn(METRICS, settings.metric)) throw new FileProblem(`${path}.settings.metric: "${settings.metric}" is not known.`);
  });
}

/** Hands a file to the person. */
export function saveFile(draft: Draft): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([writeFile(draft)], { type: "application/json" }));
  link.download = `${draft.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").toLowerCase() || "dashboard"}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
