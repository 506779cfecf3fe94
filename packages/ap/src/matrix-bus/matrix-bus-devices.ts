import {
  type Attribute,
  attempt,
  attributeFile,
  type Blocking,
  Bus,
  Device,
  type Driver,
  type DriverCore,
} from '@vfiokit/driver-model';
import type { VfioGroups } from '@vfiokit/iommu';
import { type MdevBus, type MdevDriver, MdevParent } from '@vfiokit/mdev';
import { VFIO_DEVICE_API_AP_STRING, VfioError } from '@vfiokit/uapi';
import { plainBusType } from '../bus/plain-bus-type.js';
import type { KernelClock } from '../kernel-clock.js';
import { ASSIGNABLE, type Assignable } from '../passthrough/assignable.js';
import { attachmentIoctl } from '../passthrough/attachment-ioctl.js';
import { formatControlDomains, formatQueues } from '../passthrough/matrix-text.js';
import { EmulatedDevice } from '../vfio/emulated-device.js';
import type { GuestMatrix } from './guest-matrix.js';
import type { MatrixBus } from './matrix-bus.js';

/** A matrix as a device of the bus, and its mediated device once there is one. */
export interface MatrixDevice {
  readonly matrix: GuestMatrix;
  readonly device: Device;
  readonly parent: MdevParent;
  readonly vfio: EmulatedDevice | undefined;
}

/**
 * The matrix bus in `/sys`: a device for each guest matrix, with the files to assign to it, and parent of the one mediated
 * device that is handed to a guest.
 */
export class MatrixBusDevices {
  readonly #bus: Bus<Device, Driver<Device>>;
  readonly #mdevDriver: MdevDriver;
  readonly #devices = new Map<string, { -readonly [K in keyof MatrixDevice]: MatrixDevice[K] }>();

  constructor(
    private readonly core: DriverCore,
    private readonly matrixBus: MatrixBus,
    private readonly mdevBus: MdevBus,
    private readonly groups: VfioGroups,
    private readonly clock: KernelClock,
  ) {
    this.#bus = new Bus(core, plainBusType('matrix', this.#busAttributes()));
    this.#bus.register({ name: 'matrix', suppressBindAttrs: true });
    this.#mdevDriver = this.#makeMdevDriver();
    mdevBus.register(this.#mdevDriver);
  }

  get devices(): ReadonlyMap<string, MatrixDevice> {
    return this.#devices;
  }

  /** Makes a guest matrix and its device. @throws VfioError `EEXIST`. */
  create(name: string): MatrixDevice {
    const matrix = this.matrixBus.createMatrix(name);
    const device = new Device(name, this.core.root('ap_matrix'));
    for (const attribute of matrixAttributes(this.core))
      device.entries.set(attribute.name, attributeFile(attribute, matrix));
    void this.#bus.add(device);
    const parent = new MdevParent(this.mdevBus, {
      device,
      driver: this.#mdevDriver,
      types: [{ name: 'passthrough', prettyName: 'AP matrix for one guest' }],
      instances: 1,
    });
    const made = { matrix, device, parent, vfio: undefined };
    this.#devices.set(name, made);
    return made;
  }

  /** Takes a guest matrix away. @throws VfioError `EBUSY` while it has a mediated device. */
  destroy({ matrix, device, parent }: MatrixDevice): void {
    this.matrixBus.destroyMatrix(matrix);
    void parent.unregister();
    void this.#bus.removeDevice(device);
    this.#devices.delete(matrix.name);
  }

  /** Removes the mediated device of a matrix; blocks while it is open. Nothing without one. */
  removeMdev({ parent }: MatrixDevice): Blocking<void> {
    const [mdev] = parent.devices;
    return mdev?.remove();
  }

  #busAttributes(): readonly Attribute<void>[] {
    return [
      {
        name: 'create_matrix',
        mode: 0o200,
        store: (_, text) => attempt(this.core.log, () => void this.create(text.trim())),
      },
      {
        name: 'destroy_matrix',
        mode: 0o200,
        store: (_, text) =>
          attempt(this.core.log, () => {
            const made = this.#devices.get(text.trim());
            if (made === undefined)
              throw new VfioError('ENODEV', `${text.trim()}: there is no such matrix`);
            this.destroy(made);
          }),
      },
    ];
  }

  #makeMdevDriver(): MdevDriver {
    const of = (parent: MdevParent) => this.#devices.get(parent.device.name)!;
    return {
      name: 'matrix_mdev',
      deviceApi: VFIO_DEVICE_API_AP_STRING,
      deviceAttributes: [
        {
          name: 'guest_matrix',
          mode: 0o444,
          show: (mdev) => formatQueues(of(mdev.type.parent).matrix.effective),
        },
      ],
      probe: (mdev) => {
        const made = of(mdev.type.parent);
        const { matrix } = made;
        const { attachment } = matrix;
        matrix.mediated = true;
        made.vfio = new EmulatedDevice(
          mdev.uuid,
          {
            open: (kvm, pins) => matrix.open(kvm, pins),
            close: () => matrix.close(),
            kvmChanged: () => {},
            request: (count) => attachment.request(count),
            dmaUnmap: (iova, size) => attachment.dmaUnmap(iova, size),
            ioctl: (command, argument, caller) =>
              attachmentIoctl(attachment, command, argument, caller),
          },
          this.groups,
          this.clock,
        );
        return 0;
      },
      remove: (mdev) => {
        const made = of(mdev.type.parent);
        return made.vfio?.unregister(() => {
          made.vfio = undefined;
          made.matrix.narrow(undefined);
          made.matrix.mediated = false;
        });
      },
    };
  }
}

/** The files of a matrix, such as `/sys/devices/ap_matrix/m1/`. */
function matrixAttributes(core: DriverCore): readonly Attribute<GuestMatrix>[] {
  const writable = (
    name: string,
    store: (matrix: GuestMatrix, text: string) => void,
  ): Attribute<GuestMatrix> => ({
    name,
    mode: 0o200,
    store: (matrix, text) => attempt(core.log, () => store(matrix, text)),
  });
  return [
    ...(Object.keys(ASSIGNABLE) as Assignable[]).flatMap((what) => [
      writable(`assign_${what}`, (matrix, text) => matrix.assign(what, text)),
      writable(`unassign_${what}`, (matrix, text) => matrix.unassign(what, text)),
    ]),
    { name: 'matrix', mode: 0o444, show: ({ matrix }) => formatQueues(matrix) },
    {
      name: 'control_domains',
      mode: 0o444,
      show: ({ matrix }) => formatControlDomains(matrix.adm),
    },
  ];
}
