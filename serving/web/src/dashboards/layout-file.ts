/** A dashboard as a JSON file: written from what is shown, and read with an error that names what is wrong and where. The server checks
 * the whole again. */
import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { DashboardLayoutSchema } from "../gen/tributary/v1/dashboards_pb";
import { METRICS } from "../figures/metrics";
import { boardWords } from "../language/board-words";
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
  if (new TextEncoder().encode(text).length > MOST_BYTES) throw new FileProblem(boardWords.file.tooLarge(MOST_BYTES / 1024));
  const file = parse(text);
  if (file.format !== FORMAT) throw new FileProblem(boardWords.file.mustBe("format", `"${FORMAT}"`));
  if (file.format_version !== FORMAT_VERSION) throw new FileProblem(boardWords.file.mustBe("format_version", String(FORMAT_VERSION)));
  if (typeof file.title !== "string" || !file.title.trim() || file.title.length > 100) throw new FileProblem(boardWords.file.titleLength);
  const unknown = Object.keys(file).find((key) => !["format", "format_version", "title", "layout"].includes(key));
  if (unknown) throw new FileProblem(boardWords.file.unknown(unknown));
  try {
    const layout = fromJson(DashboardLayoutSchema, (file.layout ?? {}) as JsonValue);
    const draft = readDraft({ title: file.title.trim(), layout } as Parameters<typeof readDraft>[0]);
    check(draft);
    return draft;
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    const detail = error instanceof Error ? error.message.replace(/^cannot decode message tributary\.v1\./, "") : "";
    throw new FileProblem(`layout: ${detail || boardWords.file.noLayout}.`);
  }
}

function parse(text: string): Record<string, unknown> {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new FileProblem(boardWords.file.notJson);
  }
  if (typeof file !== "object" || file === null || Array.isArray(file)) throw new FileProblem(boardWords.file.notObject);
  return file as Record<string, unknown>;
}

function check({ widgets }: Draft): void {
  if (widgets.length > MOST_WIDGETS) throw new FileProblem(boardWords.file.mostWidgets(MOST_WIDGETS));
  widgets.forEach(({ id, kind, area, settings }, index) => {
    const path = `layout.widgets[${index}]`;
    if (!isKind(kind)) throw new FileProblem(boardWords.file.unknownKind(path, kind, KIND_IDS.join(", ")));
    if (widgets.findIndex((other) => other.id === id) !== index) throw new FileProblem(boardWords.file.usedTwice(path, id));
    if (area.width < LEAST || area.column < 0 || area.column + area.width > COLUMNS) {
      throw new FileProblem(boardWords.file.columns(path, COLUMNS, LEAST));
    }
    if (area.height < LEAST || area.height > TALLEST || area.row < 0) throw new FileProblem(boardWords.file.rows(path, LEAST, TALLEST));
    const met = widgets.findIndex((other, earlier) => earlier < index && overlap(other.area, area));
    if (met >= 0) throw new FileProblem(boardWords.file.overlaps(path, `layout.widgets[${met}]`));
    const { required, addsUp } = WIDGET_KINDS[kind];
    const missing = required.find((name: Setting) => settings[name] === undefined);
    if (missing) throw new FileProblem(boardWords.file.required(path, missing, kind));
    if (settings.metric && !Object.hasOwn(METRICS, settings.metric)) throw new FileProblem(boardWords.file.unknownMetric(path, settings.metric));
    if (addsUp && settings.metric && !METRICS[settings.metric].additive) throw new FileProblem(boardWords.file.doesNotAddUp(path, settings.metric, kind));
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
