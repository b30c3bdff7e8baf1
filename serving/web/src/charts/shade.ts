/** The colour of an area by its value, from none to the highest of all. */
export function shade(value: number | undefined, highest: number): string {
  if (value === undefined || highest === 0) return "var(--surface-sunken)";
  return `color-mix(in oklab, var(--heat-high) ${Math.round((value / highest) * 100)}%, var(--heat-low))`;
}
