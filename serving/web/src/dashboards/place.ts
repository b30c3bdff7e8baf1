/** Where widgets lie on the grid of 12 columns: moving, resizing and adding, so that nothing overlaps and no gap is left above. The
 * limits are those that the server checks. */

export const COLUMNS = 12;
export const MOST_WIDGETS = 60;
export const LEAST = 2;
export const TALLEST = 24;

export interface Area {
  column: number;
  row: number;
  width: number;
  height: number;
}

export interface Placed {
  id: string;
  area: Area;
}

export function overlap(a: Area, b: Area): boolean {
  return a.column < b.column + b.width && b.column < a.column + a.width && a.row < b.row + b.height && b.row < a.row + a.height;
}

const between = (value: number, low: number, high: number): number => Math.min(Math.max(Math.round(value), low), high);

/** The nearest area that the grid allows. */
export function within({ column, row, width, height }: Area): Area {
  const fitting = between(width, LEAST, COLUMNS);
  return { column: between(column, 0, COLUMNS - fitting), row: between(row, 0, 900), width: fitting, height: between(height, LEAST, TALLEST) };
}

/** From top to bottom, then from left to right: the order in which they are read, and shown on a phone. */
export function inOrder<T extends Placed>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.area.row - b.area.row || a.area.column - b.area.column);
}

/** Gives one widget an area; those that it meets make room, below it or in the place that it left, and then all move up as far as they
 * can. */
export function put<T extends Placed>(items: readonly T[], id: string, area: Area): T[] {
  const moved = items.find((item) => item.id === id);
  if (!moved) return [...items];
  const wanted = within(area);
  const left = moved.area.row;
  const settled: T[] = [{ ...moved, area: wanted }];
  for (const item of inOrder(items)) {
    if (item.id === id) continue;
    let { row } = item.area;
    if (overlap(item.area, wanted)) {
      const swapped = { ...item.area, row: left };
      row = wanted.row > left && !settled.some((other) => overlap(other.area, swapped)) ? left : wanted.row;
    }
    settled.push({ ...item, area: restAt(settled, item.area, row) });
  }
  return compact(keepOrder(items, settled));
}

/** Moves a widget so many rows, or as many more as it takes to get past what is there: a single row often changes nothing, because
 * everything moves up again. */
export function moveRows<T extends Placed>(items: readonly T[], id: string, area: Area, rows: number): T[] {
  for (let more = 0; more <= TALLEST; more++) {
    const moved = put(items, id, { ...area, row: area.row + rows + Math.sign(rows) * more });
    if (moved.find((item) => item.id === id)?.area.row !== area.row) return moved;
  }
  return [...items];
}

/** Moves everything up as far as it goes. */
export function compact<T extends Placed>(items: readonly T[]): T[] {
  const settled: T[] = [];
  for (const item of inOrder(items)) settled.push({ ...item, area: restAt(settled, item.area, 0) });
  return keepOrder(items, settled);
}

/** The first row from `from` on where an area meets none of the others. */
function restAt(others: readonly Placed[], area: Area, from: number): Area {
  let row = from;
  for (;;) {
    const here = { ...area, row };
    const met = others.find((other) => overlap(other.area, here));
    if (!met) return here;
    row = met.area.row + met.area.height;
  }
}

/** The highest and then leftmost free place of a size. */
export function freePlace(items: readonly Placed[], width: number, height: number): Area {
  for (let row = 0; ; row++) {
    for (let column = 0; column + width <= COLUMNS; column++) {
      const here = { column, row, width, height };
      if (!items.some(({ area }) => overlap(area, here))) return here;
    }
  }
}

/** The order of the list is the order of the keyboard while editing: it must not change when something moves. */
function keepOrder<T extends Placed>(as: readonly T[], items: readonly T[]): T[] {
  return as.flatMap(({ id }) => items.filter((item) => item.id === id));
}
