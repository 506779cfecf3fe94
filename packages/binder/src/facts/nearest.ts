/** How many characters have to be changed, added or left out to make one text of another. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Up to three names that come nearest to one that is not there, the nearest first: those of which most is the same. */
export function nearest(name: string, names: readonly string[]): readonly string[] {
  return names
    .map((other) => ({ other, far: distance(name, other) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .filter(({ far }) => far <= Math.max(1, Math.floor(name.length / 2)))
    .map(({ other }) => other);
}
