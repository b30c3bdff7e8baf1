/** A small line without axes. Steps without a value are gaps. */

const WIDTH = 96;
const HEIGHT = 32;
const EDGE = 2;
// More points than pixels cannot be seen.
const MOST = 64;

function thin(values: (number | undefined)[]): (number | undefined)[] {
  if (values.length <= MOST) return values;
  const step = values.length / MOST;
  return Array.from({ length: MOST }, (_, index) => {
    const part = values.slice(Math.floor(index * step), Math.floor((index + 1) * step)).filter((value) => value !== undefined);
    return part.length ? part.reduce((a, b) => a + b, 0) / part.length : undefined;
  });
}

export function Sparkline({ values, label }: { values: (number | undefined)[]; label: string }) {
  const shown = thin(values);
  const known = shown.filter((value) => value !== undefined);
  if (known.length < 2) return <span className="sparkline" />;
  const low = Math.min(...known, 0);
  const high = Math.max(...known);
  const size = high - low || 1;
  const x = (index: number) => EDGE + (index / (shown.length - 1)) * (WIDTH - 2 * EDGE);
  const y = (value: number) => HEIGHT - EDGE - ((value - low) / size) * (HEIGHT - 2 * EDGE);
  let path = "";
  let open = false;
  shown.forEach((value, index) => {
    if (value === undefined) {
      open = false;
      return;
    }
    path += `${open ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    open = true;
  });
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path d={path} />
    </svg>
  );
}
