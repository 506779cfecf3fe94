import { andThen, type Blocking } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import { MatrixBusMachine } from '../machine/matrix-bus-machine.js';
import type { Reclaim } from '../matrix-bus/matrix-bus.js';
import type { MatrixDevice } from '../matrix-bus/matrix-bus-devices.js';
import { ASSIGNABLE, type Assignable } from '../passthrough/assignable.js';
import { apBusBox, matrixBoxes } from '../show/boxes.js';
import type { DiagramNode } from '../show/diagram.js';
import type { ApDesign, ApWorld, DesignSpec, MatrixView } from './ap-design.js';
import { MatrixNames } from './matrix-names.js';

/** The design that was not taken: a matrix bus below the AP bus, a matrix device for each guest. */
export class MatrixBusDesign implements ApDesign {
  readonly name: string;
  readonly title: string;

  constructor(private readonly policy: Reclaim) {
    this.name = `matrix-bus-${policy}`;
    this.title =
      policy === 'strict'
        ? 'a matrix bus below the AP bus owns the queues; what a running guest uses stays its'
        : 'a matrix bus below the AP bus owns the queues; the host may always take them back';
  }

  boot(spec: DesignSpec): MatrixBusWorld {
    return new MatrixBusWorld(this, this.policy, spec);
  }
}

/** A machine with a matrix bus. */
export class MatrixBusWorld implements ApWorld {
  readonly partition: MatrixBusMachine;
  readonly #names = new MatrixNames();

  constructor(
    readonly design: ApDesign,
    reclaim: Reclaim,
    { hardware, parameters }: DesignSpec,
  ) {
    this.partition = new MatrixBusMachine({ hardware, reclaim, ...(parameters && { parameters }) });
  }

  get kernel(): ApSubsystem {
    return this.partition.kernel;
  }

  get matrices(): ReadonlyMap<string, MatrixView> {
    return new Map(
      [...this.partition.devices.devices].flatMap(([id, { matrix, vfio }]) => {
        if (vfio === undefined) return [];
        const { matrix: assigned, effective: passed, attachment } = matrix;
        return [[id, { id, assigned, passed, kvm: attachment.kvm, device: vfio }]];
      }),
    );
  }

  /** Makes the matrix, and the mediated device on it that a guest gets. */
  create(id: string): void {
    const { parent } = this.partition.devices.create(id);
    parent.types[0]!.create(this.#names.uuidOf(id));
  }

  remove(id: string): Blocking<void> {
    const { devices } = this.partition;
    const device = this.#device(id);
    return andThen(devices.removeMdev(device), () => devices.destroy(device));
  }

  assign(id: string, what: Assignable, number: number): void {
    this.#device(id).matrix.assign(what, `${number}`);
  }

  unassign(id: string, what: Assignable, number: number): void {
    this.#device(id).matrix.unassign(what, `${number}`);
  }

  /** Nothing: what is assigned leaves the host by itself. */
  free(): void {}

  /** Takes it from whichever matrix has it. */
  reclaim(what: 'adapter' | 'domain', number: number): void {
    for (const { matrix } of this.partition.devices.devices.values())
      if (matrix.matrix[ASSIGNABLE[what]].has(number)) matrix.unassign(what, `${number}`);
  }

  rescan(): void {
    this.partition.rescan();
  }

  drawHost(): DiagramNode {
    return {
      title: 'matrix bus',
      edge: 'TAPQ RAPQ ZAPQ AQIC NQAP DQAP',
      lines: ['one owner for each queue; guests have products, the host what is left'],
      children: [
        { ...apBusBox(this.kernel, []), edge: 'virtual QCI and TAPQ' },
        ...matrixBoxes(this, 'matrix', 'assign_*'),
      ],
    };
  }

  #device(id: string): MatrixDevice {
    const device = this.partition.devices.devices.get(id);
    if (device === undefined)
      throw new VfioError('ENOENT', `${id}: there is no such matrix; create it first`);
    return device;
  }
}
