import { type MdevBus, type MdevDevice, type MdevDriver, MdevParent } from '@vfiokit/mdev';
import { ERRNO, VfioError } from '@vfiokit/uapi';
import { AP_DEVICE_TYPES, type ApQueueDriver } from '../bus/ap-driver.js';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import { EmulatedDevice } from '../vfio/emulated-device.js';
import { ApMatrixMdev } from './ap-matrix-mdev.js';
import { CURRENT_GENERATION, type VfioApGeneration } from './generation.js';
import { MatrixDev } from './matrix-dev.js';
import { mdevIoctl } from './mdev-ioctl.js';
import { QueueInterrupts } from './queue-interrupts.js';
import { QueueReset } from './queue-reset.js';

/** How many mediated devices the matrix device may have. */
export const MAX_INSTANCES = 65_536;

/** What a kernel needs to load vfio_ap. */
export interface VfioApOptions {
  readonly generation?: VfioApGeneration;
  /** Whether the machine executes AP instructions at all. */
  readonly apInstructions?: boolean;
}

/** One mediated device in its three roles: on the mdev bus, in the matrix, and for VFIO. */
export interface VfioApInstance {
  readonly mdev: MdevDevice;
  readonly matrix: ApMatrixMdev;
  readonly vfio: EmulatedDevice;
}

/** The module vfio_ap, loaded: queue driver, matrix device, and mediated devices (vfio_ap_drv.c). */
export class VfioAp {
  readonly matrixDev: MatrixDev;
  readonly parent: MdevParent;
  /** What queues are bound to. */
  readonly driver: ApQueueDriver;
  readonly #instances = new Map<string, VfioApInstance>();

  /** Loads the module. @throws VfioError `ENODEV` without AP instructions. */
  constructor(
    private readonly kernel: ApSubsystem,
    mdevBus: MdevBus,
    { generation = CURRENT_GENERATION, apInstructions = true }: VfioApOptions = {},
  ) {
    if (!apInstructions)
      throw new VfioError('ENODEV', 'vfio_ap: this machine has no AP instructions');
    const { bus } = kernel;
    this.matrixDev = new MatrixDev({
      ap: bus.ap,
      ownership: bus,
      reset: new QueueReset(bus.ap, bus.clock, bus.log),
      interrupts: new QueueInterrupts(bus.ap, bus.clock),
      generation,
      log: bus.log,
    });
    this.driver = queueDriver(this.matrixDev);
    bus.registerDriver(this.driver);
    this.parent = new MdevParent(mdevBus, {
      name: 'vfio_ap/matrix',
      driver: this.#mdevDriver(),
      types: [{ name: 'passthrough', prettyName: 'VFIO AP Passthrough Device' }],
      instances: MAX_INSTANCES,
      noInstance: generation.noInstance,
    });
  }

  /** Makes a mediated device, as a write to the type's `create` does. @throws VfioError */
  create(text: string): VfioApInstance {
    const { uuid } = this.parent.types[0]!.create(text);
    return this.#instances.get(uuid)!;
  }

  /** The mediated devices by UUID. One that is being removed counts until it is gone. */
  get instances(): ReadonlyMap<string, VfioApInstance> {
    return this.#instances;
  }

  /** Whether an open device keeps the module in the kernel. */
  get inUse(): boolean {
    return [...this.#instances.values()].some(({ vfio }) => vfio.openCount > 0);
  }

  /**
   * Unloads the module: mediated devices go, then its queues lose their driver and stay without one.
   *
   * @throws VfioError `EBUSY` while a device is open.
   */
  unload(): void {
    if (this.inUse)
      throw new VfioError('EBUSY', 'vfio_ap: in use; close the VFIO devices that are open first');
    this.parent.unregister();
    this.kernel.bus.unregisterDriver(this.driver);
  }

  #mdevDriver(): MdevDriver {
    const { matrixDev } = this;
    return {
      name: 'vfio_ap',
      deviceApi: 'vfio-ap',
      probe: (mdev) => {
        const matrix = new ApMatrixMdev(mdev.uuid, matrixDev);
        const vfio = new EmulatedDevice(
          mdev.uuid,
          {
            open: (kvm) => matrix.open(kvm),
            close: () => matrix.close(),
            kvmChanged: (kvm) => matrix.kvmChanged(kvm),
            request: (count) => matrix.request(count),
            dmaUnmap: (iova, size) => matrix.dmaUnmap(iova, size),
            ioctl: (command, argument, caller) => mdevIoctl(matrix, command, argument, caller),
          },
          this.kernel.bus.clock,
        );
        matrixDev.mdevs.push(matrix);
        this.#instances.set(mdev.uuid, { mdev, matrix, vfio });
      },
      checkRemove: ({ uuid }) => {
        const kvm = this.#instances.get(uuid)?.matrix.kvm;
        if (matrixDev.generation.removeInUse === 'EBUSY' && kvm !== undefined)
          throw new VfioError('EBUSY', `${uuid}: machine "${kvm.name}" uses the device`);
      },
      remove: ({ uuid }, done) => {
        const { matrix, vfio } = this.#instances.get(uuid)!;
        vfio.unregister(() => {
          matrixDev.forget(matrix);
          this.#instances.delete(uuid);
          done();
        });
      },
    };
  }
}

/** The driver that vfio_ap registers on the AP bus: for queues that the host does not reserve. */
function queueDriver(matrixDev: MatrixDev): ApQueueDriver {
  return {
    name: 'vfio_ap',
    kind: 'queue',
    types: Object.values(AP_DEVICE_TYPES),
    isDefault: false,
    probe: ({ apqn }) => {
      matrixDev.probeQueue(apqn);
      return 0;
    },
    remove: ({ apqn }) => matrixDev.removeQueue(apqn),
    inUse: (queues) => (matrixDev.inUse(queues) ? -ERRNO.EADDRINUSE : 0),
    onConfigChanged: (next, previous) => matrixDev.onConfigChanged(next, previous),
    onScanComplete: () => matrixDev.onScanComplete(),
  };
}
