// How an IOMMU is used is not a detail of which IOMMU it is: four guests on one machine, and who shares what in each.
import {
  EXPLICIT,
  MAP_ALL,
  NAMED_BRIDGE,
  NESTED,
  PAPR_BRIDGE,
  SHADOW,
  type UsageModel,
} from '@vfiokit/iommu';
import {
  apart,
  application,
  BUFFERS,
  guarded,
  plain,
  pseries,
  pseriesByGroup,
  type Wiring,
  walked,
} from './guests.js';
import type { SpaceKind } from './machine.js';
import { type Outcome, outcome } from './outcome.js';
import { PER_DEVICE } from './per-device.js';
import { bytes, panel, sideBySide } from './picture.js';

const KINDS: readonly SpaceKind[] = ['type1 v2', 'iommufd', 'spapr-tce v1', 'spapr-tce v2'];
const MODELS: readonly (readonly [UsageModel, () => Wiring])[] = [
  [MAP_ALL, plain],
  [PER_DEVICE, apart],
  [SHADOW, guarded],
  [NESTED, walked],
  [PAPR_BRIDGE, pseries],
  [NAMED_BRIDGE, pseriesByGroup],
  [EXPLICIT, application],
];

/** Draws four guests, the first PAPR design beside today's; then every policy on every mechanism. */
export function main(print: (line: string) => void): void {
  const panels = [
    panel('1: a PC without an IOMMU', outcome(MAP_ALL, 'type1 v2', plain())),
    panel('2: a PC with an IOMMU of its own', outcome(SHADOW, 'type1 v2', guarded())),
    panel('3: a pseries guest, today', outcome(PAPR_BRIDGE, 'spapr-tce v2', pseries())),
    panel(
      '4: a pseries guest, as first proposed',
      outcome(NAMED_BRIDGE, 'spapr-tce v1', pseriesByGroup()),
    ),
  ] as const;
  const wiredAsToday = outcome(NAMED_BRIDGE, 'spapr-tce v1', pseries());
  const lines = [
    'One machine: a graphics card with its audio function (IOMMU group 0), a network card (1), a disk',
    `(2). Four guests of 8 MiB that get all of it. Then the network driver maps ${BUFFERS} buffers of 4 KiB.`,
    '',
    ...sideBySide(panels[0], panels[1]),
    ...sideBySide(panels[2], panels[3]),
    '',
    'Guest 4 needs a bridge for every group, because each is made for the one that it names. Wired as 3:',
    ...wiredAsToday.refused.map((message) => `  ${message}`),
    '',
    `Every policy on every mechanism: containers, maps on the host for ${BUFFERS} buffers, locked memory`,
    '',
    ...matrix(),
    '',
    'A column is one mechanism, used in every way that it can serve; ✗ names what it lacks for the rest.',
    'A row is one policy. It decides alike in every column; only where a container takes one group, as of',
    'spapr-tce v1, there are several that hold the same, and each map is made in each of them.',
  ];
  for (const line of lines) print(line.trimEnd());
}

function matrix(): readonly string[] {
  const row = (first: string, cells: readonly string[]) =>
    `  ${first.padEnd(14)}${cells.map((cell) => cell.padEnd(20)).join('')}`;
  const rows = MODELS.map(([model, wiring]) =>
    row(
      model.name,
      KINDS.map((kind) => cell(outcome(model, kind, wiring()))),
    ),
  );
  return [row('', KINDS), ...rows];
}

/** `2   16    12 MiB`; or the capability that is missing. */
function cell({ spaces, refused, maps, locked }: Outcome): string {
  if (spaces.length === 0) return `✗ ${refused[0]!.split(': ')[2]}`;
  const memory = bytes(locked[1]).replace('nothing', '0 KiB');
  return `${spaces.length}  ${String(maps).padStart(2)}  ${memory.padStart(8)}`;
}
