import type { MigrationState } from '@vfiokit/uapi';
import type { MigrationSupport } from '../extension.js';

type Working = Exclude<MigrationState, 'ERROR'>;

const ORDER = [
  'STOP',
  'RUNNING',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY',
  'PRE_COPY_P2P',
] as const satisfies readonly Working[];

/**
 * The first step on the way from a row to a column, with every state supported (vfio_main.c: vfio_mig_get_next_state).
 * It is the shortest way whose inside holds no saving state. ERROR: there is none.
 */
const NEXT: Readonly<Record<Working, readonly MigrationState[]>> = {
  // to:           STOP           RUNNING        STOP_COPY       RESUMING       RUNNING_P2P    PRE_COPY       PRE_COPY_P2P
  STOP: [
    'STOP',
    'RUNNING_P2P',
    'STOP_COPY',
    'RESUMING',
    'RUNNING_P2P',
    'RUNNING_P2P',
    'RUNNING_P2P',
  ],
  RUNNING: [
    'RUNNING_P2P',
    'RUNNING',
    'RUNNING_P2P',
    'RUNNING_P2P',
    'RUNNING_P2P',
    'PRE_COPY',
    'RUNNING_P2P',
  ],
  STOP_COPY: ['STOP', 'STOP', 'STOP_COPY', 'STOP', 'STOP', 'ERROR', 'ERROR'],
  RESUMING: ['STOP', 'STOP', 'STOP', 'RESUMING', 'STOP', 'STOP', 'STOP'],
  RUNNING_P2P: ['STOP', 'RUNNING', 'STOP', 'STOP', 'RUNNING_P2P', 'RUNNING', 'PRE_COPY_P2P'],
  PRE_COPY: [
    'RUNNING',
    'RUNNING',
    'PRE_COPY_P2P',
    'RUNNING',
    'RUNNING',
    'PRE_COPY',
    'PRE_COPY_P2P',
  ],
  PRE_COPY_P2P: [
    'RUNNING_P2P',
    'RUNNING_P2P',
    'STOP_COPY',
    'RUNNING_P2P',
    'RUNNING_P2P',
    'PRE_COPY',
    'PRE_COPY_P2P',
  ],
};

/** Whether a device with this much support can be in a state. ERROR is none that can be asked for. */
function supportsState(support: MigrationSupport, state: MigrationState): boolean {
  switch (state) {
    case 'ERROR':
      return false;
    case 'RUNNING_P2P':
      return support.p2p;
    case 'PRE_COPY':
      return support.preCopy;
    case 'PRE_COPY_P2P':
      return support.p2p && support.preCopy;
    default:
      return true;
  }
}

/**
 * The next state on the way to a target; states that the device lacks are skipped over. `undefined` (EINVAL) if there is
 * no way or one end is not supported.
 */
export function nextState(
  support: MigrationSupport,
  from: MigrationState,
  to: MigrationState,
): MigrationState | undefined {
  if (!supportsState(support, from) || !supportsState(support, to)) return undefined;
  const column = ORDER.indexOf(to as Working);
  let next: MigrationState = NEXT[from as Working][column]!;
  while (next !== 'ERROR' && !supportsState(support, next)) next = NEXT[next][column]!;
  return next === 'ERROR' ? undefined : next;
}

/** Every arc that a device with this much support may be asked for, as `[from, to]`. */
export function arcs(support: MigrationSupport): [MigrationState, MigrationState][] {
  const found = new Map<string, [MigrationState, MigrationState]>();
  for (const from of ORDER)
    for (const to of ORDER) {
      const next = from === to ? undefined : nextState(support, from, to);
      if (next !== undefined) found.set(`${from} ${next}`, [from, next]);
    }
  return [...found.values()];
}

const SAVING: readonly MigrationState[] = ['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'];

/** The states in which a device's state can be read; moving between them keeps the data file. */
export function isSaving(state: MigrationState): boolean {
  return SAVING.includes(state);
}
