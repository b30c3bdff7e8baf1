/** Pearson's correlation coefficient. */

/** r of the pairs in which both values exist, -1 to 1; undefined for fewer than `least` pairs, or where one side does not vary. */
export function pearson(a: readonly (number | undefined)[], b: readonly (number | undefined)[], least: number): number | undefined {
  const pairs: [number, number][] = [];
  a.forEach((x, at) => {
    const y = b[at];
    if (x !== undefined && y !== undefined) pairs.push([x, y]);
  });
  if (pairs.length < least) return undefined;
  const mean = (side: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[side], 0) / pairs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  let [xy, xx, yy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    xy += (x - meanX) * (y - meanY);
    xx += (x - meanX) ** 2;
    yy += (y - meanY) ** 2;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : undefined;
}
