/** A dashboard while it is shown or edited: the layout of the contract, in the types of the page. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Dashboard, DashboardLayoutSchema } from "../gen/tributary/v1/dashboards_pb";
import type { MetricId } from "../figures/metrics";
import { boardWords } from "../language/board-words";
import type { Refresh } from "../filters/search-state";
import { compact, freePlace, type Placed } from "./place";
import { isKind, WIDGET_KINDS, type KindId, type Settings } from "./widget-kinds";

export interface DraftWidget extends Placed {
  /** A kind that this page knows, or one of a newer server, which it can only keep. */
  kind: KindId | (string & {});
  title: string;
  settings: Settings;
}

export interface Draft {
  title: string;
  refresh: Refresh;
  widgets: DraftWidget[];
}

export const EMPTY: Draft = { title: "", refresh: "300", widgets: [] };

export function readDraft({ title, layout }: Pick<Dashboard, "title" | "layout">): Draft {
  const widgets = (layout?.widgets ?? []).map(({ widgetId, kind, title: own, area, settings }): DraftWidget => ({
    id: widgetId,
    kind,
    title: own,
    area: { column: area?.column ?? 0, row: area?.row ?? 0, width: area?.width ?? 4, height: area?.height ?? 4 },
    settings: {
      metric: (settings?.metric || undefined) as MetricId | undefined,
      split: settings?.split === "channel" ? "channel" : undefined,
      most: settings?.most || undefined,
      text: settings?.text || undefined,
    },
  }));
  return { title, refresh: (layout?.refresh || "300") as Refresh, widgets };
}

export function writeLayout({ refresh, widgets }: Draft): MessageInitShape<typeof DashboardLayoutSchema> {
  return create(DashboardLayoutSchema, {
    refresh,
    widgets: widgets.map(({ id, kind, title, area, settings }) => ({
      widgetId: id,
      kind,
      title,
      area: { ...area },
      settings: { metric: settings.metric ?? "", split: settings.split ?? "", most: settings.most ?? 0, text: settings.text ?? "" },
    })),
  });
}

export function sameDraft(a: Draft, b: Draft): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function freeId(widgets: readonly DraftWidget[], kind: string): string {
  for (let number = widgets.length + 1; ; number++) {
    const id = `${kind.slice(0, 24)}-${number}`;
    if (!widgets.some((widget) => widget.id === id)) return id;
  }
}

/** A new widget of a kind at the first place where it fits. */
export function addWidget(draft: Draft, kind: KindId): { draft: Draft; id: string } {
  const { size, required } = WIDGET_KINDS[kind];
  const id = freeId(draft.widgets, kind);
  const settings: Settings = {};
  if (required.includes("metric")) settings.metric = "revenue";
  if (required.includes("text")) settings.text = boardWords.editor.newNote;
  const widget: DraftWidget = { id, kind, title: "", area: freePlace(draft.widgets, size[0], size[1]), settings };
  return { draft: { ...draft, widgets: [...draft.widgets, widget] }, id };
}

export function duplicateWidget(draft: Draft, id: string): { draft: Draft; id: string } {
  const original = draft.widgets.find((widget) => widget.id === id);
  if (!original) return { draft, id };
  const copy = { ...original, id: freeId(draft.widgets, original.kind), area: freePlace(draft.widgets, original.area.width, original.area.height) };
  return { draft: { ...draft, widgets: [...draft.widgets, copy] }, id: copy.id };
}

export function removeWidget(draft: Draft, id: string): Draft {
  return { ...draft, widgets: compact(draft.widgets.filter((widget) => widget.id !== id)) };
}

export function nameOfKind(kind: string): string {
  return isKind(kind) ? boardWords.kinds[kind].name : kind;
}

export const nameOf = ({ title, kind }: DraftWidget): string => title || nameOfKind(kind);
