/** What a chart says about the step under the pointer. Built of elements: the content policy refuses inline styles in markup. */

export interface TooltipRow {
  label: string;
  value: string;
  colour?: string | undefined;
}

export function tooltip(title: string, rows: TooltipRow[]): HTMLElement {
  const box = document.createElement("div");
  box.className = "chart-tooltip";
  const head = document.createElement("strong");
  head.textContent = title;
  box.append(head);
  for (const { label, value, colour } of rows) {
    const row = document.createElement("div");
    const mark = document.createElement("i");
    if (colour) mark.style.background = colour;
    const name = document.createElement("span");
    name.textContent = label;
    const figure = document.createElement("b");
    figure.textContent = value;
    row.append(mark, name, figure);
    box.append(row);
  }
  return box;
}
