import { className } from '@vfiokit/pci';
import type { Palette } from '../io.js';
import { hex, pad, plural, size, table } from '../output.js';
import type { ConfigReport, Inspection, OwnedBytes } from './inspection.js';

const PLAIN = 'vfio-pci';
const ROW = 16;
const EXTENDED_DIGITS = 3;

function groupText(group: Inspection['group']): readonly string[] {
  if (group === undefined) return [];
  return [group === null ? 'no IOMMU group' : `IOMMU group ${group}`];
}

/** An inspection as text, in the order in which somebody wonders. */
export function renderInspection(inspection: Inspection, colors: Palette): string[] {
  const { bold, dim } = colors;
  const ids = `${idText(inspection.vendor)}:${idText(inspection.device)}`;
  const head = [
    `${bold(inspection.name)}  ${className(inspection.class)}  ${ids}  revision ${inspection.revision.toString(16)}`,
    [
      `driver ${inspection.driver}`,
      ...groupText(inspection.group),
      inspection.resettable ? 'can be reset' : 'cannot be reset alone',
    ].join(', '),
  ];
  const titled = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', bold(title), ...lines];
  return [
    ...head,
    ...titled(`beside plain ${PLAIN}`, differenceLines(inspection, colors)),
    ...titled('regions', regionLines(inspection, colors)),
    ...titled(
      'what the device says of itself',
      table(
        inspection.infoCapabilities.map(({ name, version, text }) => [name, `v${version}`, text]),
        { indent: '  ' },
      ),
    ),
    ...titled('interrupts', interruptLines(inspection, colors)),
    ...titled(
      'features',
      inspection.features.map((feature) => `  ${feature}`),
    ),
    ...titled('capabilities', capabilityLines(inspection, colors)),
    ...titled(`configuration space, ${size(inspection.config.size)}`, [
      dim(
        '  raw: what the hardware holds; user: what the user sees where that differs; virt: bits that the kernel answers',
      ),
      ...configLines(inspection, colors),
    ]),
  ];
}

/** Core and user side by side; what is the same stands in the lists below. */
function differenceLines({ brings = [], driver }: Inspection, colors: Palette): string[] {
  if (brings.length === 0) return [];
  const { dim, green } = colors;
  const rows = brings.map(({ what, plain = '-', here = '-' }) => [what, dim(plain), green(here)]);
  return table([['', dim('plain'), driver === PLAIN ? 'with extensions' : driver], ...rows], {
    indent: '  ',
  });
}

const idText = (id: number) => id.toString(16).padStart(4, '0');

function regionLines({ regions }: Inspection, { dim }: Palette): string[] {
  const rows = regions.map(({ index, name, size: bytes, access, notes }) => [
    String(index),
    name,
    bytes === 0 ? dim('-') : size(bytes),
    access.join(' '),
    notes.join('; '),
  ]);
  return table(rows, { indent: '  ', align: ['right', 'left', 'right'] });
}

function interruptLines({ interrupts }: Inspection, { dim }: Palette): string[] {
  const rows = interrupts.map(({ index, name, count, properties }) => [
    String(index),
    name,
    count === 0 ? dim('-') : String(count),
    properties.join(', '),
  ]);
  return table(rows, { indent: '  ', align: ['right', 'left', 'right'] });
}

function capabilityLines({ capabilities }: Inspection, { dim, yellow }: Palette): string[] {
  const rows = capabilities.map(({ at, name, visibility, length, extended }) => [
    hex(at, extended ? EXTENDED_DIGITS : 2),
    name,
    visibility === 'visible' ? plural(length, 'byte') : yellow(visibility),
    visibility === 'anchor' ? dim('the user sees its place in the list, not what it is') : '',
  ]);
  return table(rows, { indent: '  ', align: ['right', 'left', 'right'] });
}

function configLines(inspection: Inspection, colors: Palette): string[] {
  const { config } = inspection;
  return config.owners.flatMap((range) => [
    `  ${colors.cyan(ownerTitle(inspection, range))}`,
    ...rangeLines(config, range, colors),
  ]);
}

/** A range's owner; raw bytes say which capability they would be, if the user were shown it. */
function ownerTitle({ capabilities }: Inspection, { from, to, owner }: OwnedBytes): string {
  const range = `${hex(from, 2)}-${hex(to - 1, 2)}`;
  const hidden = capabilities.filter(
    ({ at, visibility }) => visibility !== 'visible' && at >= from && at < to,
  );
  if (hidden.length === 0) return `${range} ${owner === 'raw' ? 'raw: no capability' : owner}`;
  const names = hidden.map(({ at, name }) => `${name} at ${hex(at, 2)}`).join(', ');
  return `${range} ${owner}, hidden: ${names}`;
}

function rangeLines(config: ConfigReport, { from, to }: OwnedBytes, colors: Palette): string[] {
  const lines: string[] = [];
  for (let row = from - (from % ROW); row < to; row += ROW) {
    const skip = sameRowsUntil(config, Math.max(row, from), to);
    if (skip > row + 2 * ROW) {
      const end = skip - (skip % ROW);
      const start = Math.max(row, from);
      lines.push(
        colors.dim(
          `    ${offsetText(start)}  ${byte(config.raw[start]!)} … as far as ${offsetText(end - 1)}`,
        ),
      );
      row = end - ROW;
      continue;
    }
    lines.push(...rowLines(config, row, Math.max(row, from), Math.min(row + ROW, to), colors));
  }
  return lines;
}

/** How far one byte repeats that the user sees as it is. */
function sameRowsUntil(
  { raw, virtual, virtualBits }: ConfigReport,
  from: number,
  to: number,
): number {
  let end = from;
  while (end < to && raw[end] === raw[from] && virtual[end] === raw[from] && virtualBits[end] === 0)
    end += 1;
  return end;
}

const byte = (value: number) => value.toString(16).padStart(2, '0');
const offsetText = (offset: number) => offset.toString(16).padStart(EXTENDED_DIGITS, '0');

function rowLines(
  { raw, virtual, virtualBits }: ConfigReport,
  row: number,
  from: number,
  to: number,
  { dim, bold, magenta }: Palette,
): string[] {
  const cells = (cell: (at: number) => string) =>
    Array.from({ length: ROW }, (_, i) => {
      const at = row + i;
      const text = at < from || at >= to ? '  ' : cell(at);
      return i === ROW / 2 ? ` ${text}` : text;
    }).join(' ');
  const within = (test: (at: number) => boolean) => {
    for (let at = from; at < to; at += 1) if (test(at)) return true;
    return false;
  };
  const line = (offset: string, text: string, label: string) =>
    `    ${pad(offset, EXTENDED_DIGITS)}  ${text}  ${dim(label)}`;
  const differs = (at: number) => raw[at] !== virtual[at];
  const lines = [
    line(
      offsetText(row),
      cells((at) => byte(raw[at]!)),
      'raw',
    ),
  ];
  if (within(differs))
    lines.push(
      line(
        '',
        cells((at) => (differs(at) ? bold(byte(virtual[at]!)) : dim('··'))),
        'user',
      ),
    );
  if (within((at) => virtualBits[at] !== 0))
    lines.push(
      line(
        '',
        cells((at) => (virtualBits[at] === 0 ? dim('··') : magenta(byte(virtualBits[at]!)))),
        'virt',
      ),
    );
  return lines;
}
