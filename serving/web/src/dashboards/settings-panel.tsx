/** What one widget shows, and where: the settings of its kind, and its place in numbers with buttons beside them. */
import { Minus, Plus, X } from "lucide-react";
import { Button } from "react-aria-components/Button";
import { METRICS, type MetricId } from "../figures/metrics";
import { boardWords } from "../language/board-words";
import { nameOfKind, type DraftWidget } from "./draft";
import { COLUMNS, LEAST, TALLEST, type Area } from "./place";
import { isKind, WIDGET_KINDS, type Setting, type Settings } from "./widget-kinds";

interface Props {
  widget: DraftWidget;
  onChange: (change: Partial<Pick<DraftWidget, "title" | "settings">>) => void;
  onArea: (area: Area) => void;
  onClose: () => void;
}

export function SettingsPanel({ widget, onChange, onArea, onClose }: Props) {
  const { kind, title, area, settings } = widget;
  const known = isKind(kind) ? WIDGET_KINDS[kind] : undefined;
  const takes = (name: Setting) => known !== undefined && [...known.required, ...known.optional].includes(name);
  const set = (change: Settings) => onChange({ settings: { ...settings, ...change } });
  const following = known?.optional.includes("metric") ? [{ id: "", label: boardWords.settings.asOnPage }] : [];
  return (
    <aside className="board-settings" aria-label={boardWords.settings.of(nameOfKind(kind))}>
      <header>
        <h2>{nameOfKind(kind)}</h2>
        <Button className="button button-quiet button-icon button-small" aria-label={boardWords.settings.close} onPress={onClose}>
          <X size={15} aria-hidden />
        </Button>
      </header>
      {isKind(kind) && <p className="muted">{boardWords.kinds[kind].purpose}</p>}
      <label>
        {boardWords.settings.title}
        <input className="field" value={title} maxLength={80} placeholder={nameOfKind(kind)} onChange={(event) => onChange({ title: event.target.value })} />
      </label>
      {takes("metric") && (
        <label>
          {boardWords.settings.metric}
          <select className="field" value={settings.metric ?? ""} onChange={(event) => set({ metric: (event.target.value || undefined) as MetricId | undefined })}>
            {[...following, ...Object.values(METRICS).filter(({ additive }) => additive || !known?.addsUp)].map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
      {takes("split") && (
        <label>
          {boardWords.settings.lines}
          <select className="field" value={settings.split ?? ""} onChange={(event) => set({ split: event.target.value === "channel" ? "channel" : undefined })}>
            <option value="">{boardWords.settings.oneLine}</option>
            <option value="channel">{boardWords.settings.linePerChannel}</option>
          </select>
        </label>
      )}
      {takes("most") && <Stepper label={boardWords.settings.rows} value={settings.most ?? 7} low={3} high={20} onChange={(most) => set({ most })} />}
      {takes("text") && (
        <label>
          {boardWords.settings.text}
          <textarea className="field" rows={6} maxLength={1000} value={settings.text ?? ""} onChange={(event) => set({ text: event.target.value || undefined })} />
        </label>
      )}
      <fieldset className="board-place">
        <legend>{boardWords.settings.place}</legend>
        <Stepper label={boardWords.settings.column} value={area.column + 1} low={1} high={COLUMNS - area.width + 1} onChange={(column) => onArea({ ...area, column: column - 1 })} />
        <Stepper label={boardWords.settings.row} value={area.row + 1} low={1} high={901} onChange={(row) => onArea({ ...area, row: row - 1 })} />
        <Stepper label={boardWords.settings.width} value={area.width} low={LEAST} high={COLUMNS} onChange={(width) => onArea({ ...area, width })} />
        <Stepper label={boardWords.settings.height} value={area.height} low={LEAST} high={TALLEST} onChange={(height) => onArea({ ...area, height })} />
      </fieldset>
    </aside>
  );
}

function Stepper({ label, value, low, high, onChange }: { label: string; value: number; low: number; high: number; onChange: (value: number) => void }) {
  return (
    <div className="stepper" role="group" aria-label={label}>
      <span>{label}</span>
      <Button className="button button-icon button-small" aria-label={boardWords.settings.less(label)} isDisabled={value <= low} onPress={() => onChange(value - 1)}>
        <Minus size={13} aria-hidden />
      </Button>
      <output aria-label={label}>{value}</output>
      <Button className="button button-icon button-small" aria-label={boardWords.settings.more(label)} isDisabled={value >= high} onPress={() => onChange(value + 1)}>
        <Plus size={13} aria-hidden />
      </Button>
    </div>
  );
}
