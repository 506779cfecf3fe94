/** Columns of a text that nobody gave a width. */
export const DEFAULT_COLUMNS = 100;

/** A text in lines of at most so many characters, cut at blanks; what has none is left whole. */
export function wrapText(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** A text behind a heading; its further lines stand under its first. */
export function hanging(heading: string, text: string, columns: number): readonly string[] {
  const [first = '', ...rest] = wrapText(text, Math.max(20, columns - heading.length));
  const blanks = ' '.repeat(heading.length);
  return [`${heading}${first}`, ...rest.map((line) => `${blanks}${line}`)].map((line) =>
    line.trimEnd(),
  );
}

/** Rows whose cells stand under each other; the last cell may take several lines. */
export function columnsOf(
  rows: readonly (readonly string[])[],
  indent: string,
  columns: number,
): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.flatMap((row) => {
    const cells = row.slice(0, -1).map((cell, at) => `${cell.padEnd(widths[at]!)}  `);
    return hanging(`${indent}${cells.join('')}`, row.at(-1)!, columns);
  });
}
