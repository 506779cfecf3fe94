import type { Blocking } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import { ApMachine } from '../machine/ap-machine.js';
import type { Assignable } from '../passthrough/assignable.js';
import { apBusBox, matrixBoxes, queuesOfDriver } from '../show/boxes.js';
import type { DiagramNode } from '../show/diagram.js';
import type { VfioApInstance } from '../vfio-ap/vfio-ap.js';
import type { ApDesign, ApWorld, DesignSpec, MatrixView, VfioApControls } from './ap-design.js';
import { MatrixNames } from './matrix-names.js';

const BUS = '/sys/bus/ap';
const MATRIX = '/sys/devices/vfio_ap/matrix';

/** Today's kernel: masks partition the queues between drivers, vfio_ap binds the guests', a veto keeps them there. */
export class VfioApDesign implements ApDesign {
  readonly name = 'vfio-ap';
  readonly title =
    'vfio_ap binds the queues of guests on the AP bus; a veto keeps them from the host';

  boot(spec: DesignSpec): VfioApWorld {
    return new VfioApWorld(this, spec);
  }
}

/** A machine with today's kernel. What an administrator does goes through the files of `/sys`. */
export class VfioApWorld implements ApWorld {
  readonly partition: ApMachine;
  readonly #names = new MatrixNames();

  constructor(
    readonly design: ApDesign,
    { hardware, parameters, generation }: DesignSpec,
  ) {
    this.partition = new ApMachine({
      hardware,
      ...(parameters && { parameters }),
      ...(generation && { vfioAp: { generation } }),
    });
    this.partition.loadVfioAp();
  }

  get kernel(): ApSubsystem {
    return this.partition.kernel;
  }

  get matrices(): ReadonlyMap<string, MatrixView> {
    const views = [...(this.partition.vfioAp?.instances ?? [])].map(([uuid, instance]) => {
      const id = this.#names.nameOf(uuid);
      return [id, viewOf(id, instance)] as const;
    });
    return new Map(views);
  }

  create(id: string): void {
    this.#echo(this.#names.uuidOf(id), `${MATRIX}/mdev_supported_types/vfio_ap-passthrough/create`);
  }

  remove(id: string): Blocking<void> {
    return this.partition.shell.echo('1', this.#file(id, 'remove'));
  }

  assign(id: string, what: Assignable, number: number): void {
    this.#echo(`${number}`, this.#file(id, `assign_${what}`));
  }

  unassign(id: string, what: Assignable, number: number): void {
    this.#echo(`${number}`, this.#file(id, `unassign_${what}`));
  }

  free(what: 'adapter' | 'domain', number: number): void {
    this.#echo(`-${number}`, maskOf(what));
  }

  reclaim(what: 'adapter' | 'domain', number: number): void {
    this.#echo(`+${number}`, maskOf(what));
  }

  rescan(): void {
    this.#echo('1', `${BUS}/scans`);
  }

  drawHost(): DiagramNode {
    const { vfioAp } = this.partition;
    if (vfioAp === undefined) return apBusBox(this.kernel, []);
    return apBusBox(this.kernel, [
      {
        title: 'vfio_ap',
        edge: 'all other queues; in_use: veto',
        lines: [queuesOfDriver(this.kernel, 'vfio_ap')],
        children: [
          {
            title: `matrix device ${MATRIX}`,
            edge: 'linked by APQN',
            lines: [
              `type vfio_ap-passthrough, ${vfioAp.parent.available} instances left`,
              `generation ${vfioAp.matrixDev.generation.name}`,
            ],
            children: matrixBoxes(this, 'mdev', 'assign_*, ap_config'),
          },
        ],
      },
    ]);
  }

  readonly vfioAp: VfioApControls = {
    load: () => void this.partition.loadVfioAp(),
    unload: () => this.partition.unloadVfioAp(),
    setMask: (which, text) => this.#echo(text, `${BUS}/${which}`),
    setApConfig: (id, text) => this.#echo(text, this.#file(id, 'ap_config')),
    override: (queue, driver) =>
      this.#echo(`${driver}\n`, `${BUS}/devices/${queue}/driver_override`),
    bind: (queue, driver) => this.#echo(queue, `${BUS}/drivers/${driver}/bind`),
    unbind: (queue) => this.#echo(queue, `${BUS}/devices/${queue}/driver/unbind`),
    probe: (queue) => this.#echo(queue, `${BUS}/drivers_probe`),
  };

  #file(id: string, name: string): string {
    if (!this.matrices.has(id))
      throw new VfioError('ENOENT', `${id}: there is no such matrix; create it first`);
    return `${MATRIX}/${this.#names.uuidOf(id)}/${name}`;
  }

  /** Nothing of this blocks. */
  #echo(text: string, path: string): void {
    void this.partition.shell.echo(text, path);
  }
}

function maskOf(what: 'adapter' | 'domain'): string {
  return `${BUS}/${what === 'adapter' ? 'apmask' : 'aqmask'}`;
}

function viewOf(id: string, { matrix, vfio }: VfioApInstance): MatrixView {
  return { id, assigned: matrix.matrix, passed: matrix.shadow, kvm: matrix.kvm, device: vfio };
}
