import type { Layout } from './diagram.js';

/** Draws a picture with characters that every terminal has. */
export function drawAscii({ boxes, edges, width, height }: Layout): string {
  const grid = Array.from({ length: height }, () => Array<string>(width).fill(' '));
  const put = (x: number, y: number, text: string): void => {
    for (const [n, character] of [...text].entries()) grid[y]![x + n] = character;
  };
  for (const box of boxes) {
    const { x, y, width: w, height: h } = box;
    const bar = `+${'-'.repeat(w - 2)}+`;
    put(x, y, bar);
    put(x + 1, y, `- ${box.title} `);
    put(x, y + h - 1, bar);
    for (const [n, line] of box.lines.entries()) put(x, y + 1 + n, `| ${line.padEnd(w - 4)} |`);
  }
  for (const { x, fromY, toY, label } of edges) {
    put(x, fromY, '+');
    for (let y = fromY + 1; y < toY; y++) put(x, y, y === toY - 1 ? 'v' : '|');
    put(x + 2, fromY + 1, label);
  }
  return `${grid.map((row) => row.join('').trimEnd()).join('\n')}\n`;
}
