import type { Layout } from './diagram.js';

/** Pixels of a character's cell. */
const CELL = { width: 8, height: 18 } as const;
const MARGIN = 12;

const STYLE = `
    text { font: 13px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #1c2733 }
    .title { font-weight: 600 }
    .label { fill: #5b6b7b; font-style: italic }
    rect { fill: #f6f8fa; stroke: #34495e; rx: 5 }
    line { stroke: #34495e; stroke-width: 1.2; marker-end: url(#arrow) }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .label { fill: #9aa7b4 } rect { fill: #161b22; stroke: #7d8590 } line { stroke: #7d8590 }
    }`;

/** Draws a picture as a stand-alone SVG document, light or dark as the reader's screen is. */
export function drawSvg({ boxes, edges, width, height }: Layout, title: string): string {
  const px = (columns: number): number => MARGIN + columns * CELL.width;
  const py = (rows: number): number => MARGIN + rows * CELL.height;
  const text = (x: number, y: number, kind: string, content: string): string =>
    `  <text class="${kind}" x="${px(x)}" y="${py(y) + 13}" xml:space="preserve">${escapeXml(content)}</text>`;
  const size = `${px(width) + MARGIN} ${py(height) + MARGIN}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" width="${size.split(' ')[0]}" role="img">`,
    `  <title>${escapeXml(title)}</title>`,
    `  <style>${STYLE}\n  </style>`,
    '  <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#34495e"/></marker></defs>',
    ...boxes.flatMap((box) => [
      `  <rect x="${px(box.x)}" y="${py(box.y)}" width="${box.width * CELL.width}" height="${(box.height - 0.4) * CELL.height}"/>`,
      text(box.x + 1, box.y + 0.15, 'title', box.title),
      ...box.lines.map((line, n) => text(box.x + 1, box.y + 1.25 + n, 'line', line)),
    ]),
    ...edges.flatMap(({ x, fromY, toY, label }) => [
      `  <line x1="${px(x)}" y1="${py(fromY + 0.6)}" x2="${px(x)}" y2="${py(toY)}"/>`,
      text(x + 1, fromY + 1, 'label', label),
    ]),
    '</svg>',
    '',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
