import { VfioError } from '@vfiokit/uapi';
import type { Target } from '../decision/operation.js';

/** How far a device has got. */
export type DeviceState = 'overridden' | 'unbinding' | 'unbound' | 'binding' | 'bound';

/** How far a transaction has got. The last four are final; of them only `committed` can still be released. */
export type TransactionState =
  | 'intent'
  | 'verified'
  | 'rolling-back'
  | 'committed'
  | 'rolled-back'
  | 'needs-attention'
  | 'released';

/** What tells a device from another that has its address later. */
export interface DeviceIdentity {
  /** Its modalias: all ids. */
  readonly modalias: string;
  /** Its place in the tree of devices, as the link of the bus tells. */
  readonly place: string;
}

/** One device of a transaction. */
export interface JournalTarget extends Target {
  readonly driver: string | null;
  readonly identity: DeviceIdentity;
  /** Drivers that were tried before this one. */
  readonly tried?: readonly string[];
}

/** What is written before anything is done: all that is needed to take it back. */
export interface JournalIntent {
  readonly version: 1;
  readonly id: string;
  readonly bootId: string;
  readonly release: string;
  /** Who, such as `vfiokit 0.1.0, process 42`. */
  readonly creator: string;
  /** ISO 8601. */
  readonly time: string;
  readonly targets: readonly JournalTarget[];
}

/** One line that is appended. */
export type JournalStep =
  | { readonly device: string; readonly state: DeviceState }
  | { readonly state: TransactionState; readonly note?: string }
  /** The module was loaded, and this is what its driver is called. */
  | { readonly loaded: string; readonly driver: string }
  /** The driver before did not take the device; now this one is tried. */
  | { readonly device: string; readonly trying: string }
  /** An id was given to a driver, because the kernel has no overrides. */
  | { readonly device: string; readonly newId: string; readonly driver: string }
  | { readonly device: string; readonly newIdRemoved: string };

/** A transaction as its journal tells it. */
export interface JournalRecord {
  readonly intent: JournalIntent;
  readonly steps: readonly JournalStep[];
  readonly state: TransactionState;
}

/**
 * Where journals are kept. What a call has written is durable when it returns: a machine that stops after it finds it
 * again.
 */
export interface JournalStore {
  create(id: string, line: string): Promise<void>;
  append(id: string, line: string): Promise<void>;
  /** The whole text of one journal; the last line may have been cut short. */
  read(id: string): Promise<string>;
  /** Journals that are not archived, oldest first. */
  list(): Promise<readonly string[]>;
  /** Puts a journal away: it is history. */
  archive(id: string): Promise<void>;
}

/**
 * Reads a journal. A last line that was cut short by a crash was never acted on, and is passed over; so is what stands
 * behind a line that is damaged, for what is true of a device is read from the device.
 *
 * @returns undefined for a journal in which nothing was begun.
 * @throws VfioError `EIO` for one whose first line is damaged: nobody knows what it was to do.
 */
export function parseJournal(text: string): JournalRecord | undefined {
  const lines = text.split('\n');
  const complete = lines.slice(0, -1);
  if (complete.length === 0) return undefined;
  const intent = parseLine(complete[0]!);
  if (!isIntent(intent))
    throw new VfioError('EIO', 'journal: its first line is damaged, or of another program');
  const steps: JournalStep[] = [];
  for (const line of complete.slice(1)) {
    const step = parseLine(line);
    if (typeof step !== 'object' || step === null) break;
    steps.push(step as JournalStep);
  }
  let state: TransactionState = 'intent';
  for (const step of steps) if (!('device' in step) && 'state' in step) state = step.state;
  return { intent, steps, state };
}

/** The value of a line; undefined for one that is damaged. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Only whether it can be read matters; who asks says what follows.
    return undefined;
  }
}

function isIntent(value: unknown): value is JournalIntent {
  if (typeof value !== 'object' || value === null) return false;
  const { version, id, bootId, targets } = value as Partial<JournalIntent>;
  return (
    version === 1 &&
    typeof id === 'string' &&
    typeof bootId === 'string' &&
    Array.isArray(targets) &&
    targets.every((one) => typeof one?.device === 'string' && one.before && one.identity)
  );
}

/** How far a device had got in a transaction; undefined if nothing was begun. */
export function deviceState(record: JournalRecord, device: string): DeviceState | undefined {
  let state: DeviceState | undefined;
  for (const step of record.steps)
    if ('device' in step && 'state' in step && step.device === device) state = step.state;
  return state;
}

/** The targets with the drivers that they have come to: those that only loading a module told, those tried since. */
export function resolvedTargets(record: JournalRecord): readonly JournalTarget[] {
  const loaded = new Map(
    record.steps.flatMap((step) => ('loaded' in step ? [[step.loaded, step.driver] as const] : [])),
  );
  return record.intent.targets.map((target) => {
    const first =
      (target.load === undefined ? undefined : loaded.get(target.load)) ?? target.driver;
    const later = record.steps.flatMap((step) =>
      'trying' in step && step.device === target.device ? [step.trying] : [],
    );
    const all = [first, ...later];
    return {
      ...target,
      driver: all.at(-1)!,
      tried: all.slice(0, -1).filter((driver) => driver !== null),
    };
  });
}

/** Ids that were given to drivers and may still be there. */
export function pendingIds(
  record: JournalRecord,
): readonly { readonly driver: string; readonly newId: string }[] {
  const removed = record.steps.flatMap((step) => ('newIdRemoved' in step ? [step.device] : []));
  return record.steps.flatMap((step) =>
    'newId' in step && !removed.includes(step.device) ? [step] : [],
  );
}

/** A journal that lives as long as its process: for models and tests. */
export class MemoryJournal implements JournalStore {
  readonly #journals = new Map<string, string>();
  readonly #archive = new Map<string, string>();

  get archived(): ReadonlyMap<string, string> {
    return this.#archive;
  }

  async create(id: string, line: string): Promise<void> {
    this.#journals.set(id, `${line}\n`);
  }

  async append(id: string, line: string): Promise<void> {
    this.#journals.set(id, `${this.#journals.get(id) ?? ''}${line}\n`);
  }

  async read(id: string): Promise<string> {
    return this.#journals.get(id) ?? '';
  }

  async list(): Promise<readonly string[]> {
    return [...this.#journals.keys()];
  }

  async archive(id: string): Promise<void> {
    this.#archive.set(id, this.#journals.get(id) ?? '');
    this.#journals.delete(id);
  }
}
