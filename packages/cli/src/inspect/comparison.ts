import { size as sizeText } from '../output.js';
import type { Inspection } from './inspection.js';

/** Something that a driver or an extension changes, and what stands in its place without it. */
export interface Difference {
  /** A capability, a region, an interrupt, `feature`, or where in configuration space. */
  readonly what: string;
  /** As vfio-pci-core alone shows it; undefined where it has nothing of the kind. */
  readonly plain: string | undefined;
  /** As the user of the device finds it; undefined where it is gone. */
  readonly here: string | undefined;
}

/** What the user of a device finds that vfio-pci-core alone would not show, item by item, in the order of an inspection. */
export function compareInspections(plain: Inspection, here: Inspection): Difference[] {
  const items = (inspection: Inspection) =>
    new Map([
      ...inspection.infoCapabilities.map(
        ({ name, version }) => [name, [name, `v${version}`]] as const,
      ),
      ...inspection.regions.map(
        (region) => [`region ${region.index}`, regionItem(region)] as const,
      ),
      ...inspection.interrupts.map(
        ({ index, name, count, properties }) =>
          [
            `interrupt ${index}`,
            [name, count === 0 ? '-' : [count, ...properties].join(', ')],
          ] as const,
      ),
      ...inspection.features.map((text) => [text, ['feature', text]] as const),
    ]);
  const before = items(plain);
  const after = items(here);
  return [
    ...[...new Map([...after, ...before]).keys()].flatMap((key) => {
      const [was, is] = [before.get(key), after.get(key)];
      const [what] = (is ?? was)!;
      return was?.[1] === is?.[1] ? [] : [{ what, plain: was?.[1], here: is?.[1] }];
    }),
    ...configDifferences(plain, here),
  ];
}

function regionItem({
  name,
  size,
  access,
  notes,
}: Inspection['regions'][number]): readonly [string, string] {
  return [name, size === 0 ? '-' : [sizeText(size), access.join(' '), ...notes].join(', ')];
}

const DWORD = 4;

/** Runs of double words that read differently, or in which other bits are the user's to write. */
function configDifferences(plain: Inspection, here: Inspection): Difference[] {
  const differs = (at: number) =>
    plain.config.virtual[at] !== here.config.virtual[at] ||
    plain.config.writableBits[at] !== here.config.writableBits[at];
  const runs: [from: number, to: number][] = [];
  for (let at = 0; at < here.config.size; at += DWORD) {
    if (![at, at + 1, at + 2, at + 3].some(differs)) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = at + DWORD;
    else runs.push([at, at + DWORD]);
  }
  return runs.map(([from, to]) => ({
    what: `config 0x${from.toString(16)}`,
    plain: run(plain, from, to),
    here: run(here, from, to),
  }));
}

const SHOWN = 8;

/** Bytes as the user reads them, lowest address first, and whether writes change any of them. */
function run({ config }: Inspection, from: number, to: number): string {
  const bytes = config.virtual.slice(from, Math.min(to, from + SHOWN));
  const more = to - from > SHOWN ? ` … ${to - from} bytes` : '';
  const writable = config.writableBits.slice(from, to).some((bits) => bits !== 0);
  const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${text}${more}${writable ? ', writable' : ''}`;
}
