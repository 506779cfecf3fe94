import type { PciDevice } from '@vfiokit/pci';
import { RecordedMachine } from '../machine/recorded-machine.js';
import type { Difference, Mismatch } from '../result/difference.js';
import { explain } from '../result/explanations.js';
import type { Tally } from '../result/tally.js';
import { operationClass } from '../trace/operation-class.js';
import type { HwSnapOp, Trace, TraceOp, WaitSuspendOp } from '../trace/trace.js';
import { HardwareWatch } from './hardware-watch.js';
import { compareOutcome } from './outcome.js';
import { Player } from './player.js';

const CONFIG_REGION = 7;
const ROM_REGION = 6;
const DEVICES = 8;
const UNSAMPLED_IOCTLS = new Set([
  'GET_API_VERSION',
  'CHECK_EXTENSION',
  'IOMMU_GET_INFO',
  'IOMMU_MAP_DMA',
  'IOMMU_UNMAP_DMA',
  'IOMMU_DIRTY_PAGES',
  'GET_IRQ_INFO',
  // The recorder knew ioctls by number, and this one has that of IOMMU_MAP_DMA.
  'PCI_HOT_RESET',
]);

/** Keys of the effects on each device. */
const HW_KEYS = Array.from({ length: DEVICES }, (_, i) => `hw${i === 0 ? '' : i}` as const);
const PS_KEYS = Array.from({ length: DEVICES }, (_, i) => `ps${i === 0 ? '' : i}` as const);

/** Plays a trace on the machine that it describes, operation by operation, and compares every outcome. */
export class Replayer {
  readonly machine: RecordedMachine;
  readonly #player: Player;
  readonly #watches: readonly HardwareWatch[];
  #section = '';

  constructor(
    private readonly trace: Trace,
    private readonly tally: Tally,
  ) {
    this.machine = new RecordedMachine(trace);
    this.#player = new Player(this.machine);
    this.#watches = this.machine.devices.map(
      ({ pdev, recorded }, i) =>
        new HardwareWatch(
          pdev,
          i,
          recorded.power_state ?? 'D0',
          HW_KEYS[i]!,
          PS_KEYS[i]!,
          this.machine.platform.masks.get(pdev.name),
        ),
    );
    this.machine.platform.registersAfter = (pdev) => this.#registersAfter(pdev);
  }

  #registersAfter(pdev: PciDevice): Buffer {
    const watch = this.#watches.find((other) => other.pdev === pdev);
    const { op } = this.machine.platform;
    return watch === undefined || op === undefined ? Buffer.alloc(4096) : watch.after(op);
  }

  /** Plays everything. */
  run(): void {
    for (const op of this.trace.operations) this.step(op);
  }

  /** Plays one operation. */
  step(op: TraceOp): void {
    const kind = operationClass(op);
    if (kind === undefined) {
      if (op.op === 'section') this.#section = op.name;
      return;
    }
    const mismatches = this.#outcome(op);
    if (mismatches.length === 0) {
      this.tally.matched(kind);
      return;
    }
    const difference: Difference = {
      path: this.trace.path,
      section: this.#section,
      op,
      mismatches,
    };
    const explanation = explain(difference, this.machine);
    this.tally.differed(
      kind,
      explanation === undefined ? difference : { ...difference, explanation },
    );
  }

  #outcome(op: TraceOp): Mismatch[] {
    const mismatches: Mismatch[] = [];
    this.machine.begin(op);
    try {
      compareOutcome(op, this.#player.play(op), mismatches);
    } catch (error) {
      mismatches.push({
        aspect: 'thrown',
        recorded: 'an answer',
        model: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    // What a device raised, it raised while it was awake.
    for (const watch of this.#watches) watch.follow(op);
    this.machine.settle();
    if (op.ev !== undefined && mayAct(op)) this.#sendMessages(op.ev);
    this.#compareEvents(op, mismatches);
    if (op.op === 'hwsnap') this.#snapshot(op, mismatches);
    else if (op.op === 'wait_suspend') this.#compareSleep(op, mismatches);
    if (isSampled(op)) for (const watch of this.#watches) watch.compare(mismatches);
    else for (const watch of this.#watches) if (watch.sampledIn(op)) watch.compare(mismatches);
    return mismatches;
  }

  /**
   * A device sends interrupt messages by itself. That it did is taken from the record: every vector is tried that leads
   * to an eventfd which the record says was signalled, and is not yet.
   */
  #sendMessages(recorded: Readonly<Record<string, number>>): void {
    const { user } = this.#player;
    for (const { pdev } of this.machine.devices) {
      const { msi, msix } = pdev.function;
      const vectors = msix?.enabled ? msix.vectors : msi?.enabled ? msi.granted : 0;
      for (let vector = 0; vector < vectors; vector += 1)
        while (user.tries(recorded, () => pdev.function.raise(vector)));
    }
  }

  #compareEvents(op: TraceOp, into: Mismatch[]): void {
    const events = this.#player.user.takeEvents();
    if (events === undefined && op.ev === undefined) return;
    const recorded = describeEvents(op.ev);
    const model = describeEvents(events);
    if (recorded !== model) into.push({ aspect: 'ev', recorded, model });
  }

  /** A look at everything: what the host allocates is taken from it, the rest is compared. */
  #snapshot(op: HwSnapOp, into: Mismatch[]): void {
    const { pdev } = this.machine.devices[op.dev]!;
    // The number may change with every enable; what the model asks is only whether there is a line.
    if ((Number(op.irq) === 0) !== (pdev.irq === 0)) pdev.irq = Number(op.irq);
    this.#watches[op.dev]!.snapshot(op);
    this.#compareSleep(op, into);
  }

  #compareSleep({ dev, rpm }: HwSnapOp | WaitSuspendOp, into: Mismatch[]): void {
    if (rpm === '') return;
    const { runtimePm } = this.machine.devices[dev]!.pdev;
    const model = runtimePm.suspended ? 'suspended' : 'active';
    if (rpm !== model) into.push({ aspect: 'rpm', recorded: rpm, model });
  }
}

/** Whether a device may have done something by itself: time passed, or its registers were touched. */
function mayAct(op: TraceOp): boolean {
  return op.op === 'delay' || ((op.op === 'pread' || op.op === 'pwrite') && op.r < CONFIG_REGION);
}

/** Whether the recorder looked at the hardware after an operation. */
function isSampled(op: TraceOp): boolean {
  switch (op.op) {
    case 'pread':
      return op.r !== CONFIG_REGION && op.r !== ROM_REGION;
    case 'mmap':
      return op.touch !== undefined;
    case 'ioctl':
      return !UNSAMPLED_IOCTLS.has(op.cmd);
    default:
      return true;
  }
}

function describeEvents(events: Readonly<Record<string, number>> | undefined): string {
  if (events === undefined) return '-';
  return Object.entries(events)
    .map(([name, count]) => `${name}:${count}`)
    .sort()
    .join(' ');
}
