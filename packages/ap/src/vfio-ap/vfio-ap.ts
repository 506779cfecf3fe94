import { attributeFile } from '@vfiokit/driver-model';
import type { VfioGroups } from '@vfiokit/iommu';
import { type MdevBus, type MdevDevice, type MdevDriver, MdevParent } from '@vfiokit/mdev';
import { ERRNO, VFIO_DEVICE_API_AP_STRING, VfioError } from '@vfiokit/uapi';
import { AP_DEVICE_TYPES, type ApQueueDriver } from '../bus/ap-driver.js';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import { attachmentIoctl } from '../passthrough/attachment-ioctl.js';
import { QueueInterrupts } from '../passthrough/queue-interrupts.js';
import { QueueReset } from '../passthrough/queue-reset.js';
import { EmulatedDevice } from '../vfio/emulated-device.js';
import { ApMatrixMdev } from './ap-matrix-mdev.js';
import { CURRENT_GENERATION, type VfioApGeneration } from './generation.js';
import { MatrixBusDevice } from './matrix-bus-device.js';
import { MatrixDev } from './matrix-dev.js';
import { mdevAttributes } from './mdev-attributes.js';

/** How many mediated devices the matrix device may have. */
export const MAX_INSTANCES = 65_536;

/** How a kernel loads vfio_ap. */
export interface VfioApOptions {
  readonly generation?: VfioApGeneration;
  /** Whether the machine executes AP instructions at all. */
  readonly apInstructions?: boolean;
  /** How many mediated devices there may be; the kernel's limit unless told. */
  readonly instances?: number;
}

/** One mediated device in its three roles: on the mdev bus, in the matrix, and for VFIO. */
export interface VfioApInstance {
  readonly mdev: MdevDevice;
  readonly matrix: ApMatrixMdev;
  readonly vfio: EmulatedDevice;
}

const MODULE = 'vfio_ap';

/** The module vfio_ap, loaded: queue driver, matrix device, and mediated devices (vfio_ap_drv.c). */
export class VfioAp {
  readonly matrixDev: MatrixDev;
  readonly parent: MdevParent;
  /** What queues are bound to. */
  readonly driver: ApQueueDriver;
  readonly #matrixDevice: MatrixBusDevice;
  readonly #mdevDriver: MdevDriver;
  readonly #instances = new Map<string, VfioApInstance>();

  /** Loads the module. @throws VfioError `ENODEV` without AP instructions. */
  constructor(
    private readonly kernel: ApSubsystem,
    private readonly mdevBus: MdevBus,
    private readonly groups: VfioGroups,
    {
      generation = CURRENT_GENERATION,
      apInstructions = true,
      instances = MAX_INSTANCES,
    }: VfioApOptions = {},
  ) {
    if (!apInstructions)
      throw new VfioError('ENODEV', 'vfio_ap: this machine has no AP instructions');
    const { bus, core } = kernel;
    this.#matrixDevice = new MatrixBusDevice(core, generation.hotPlug);
    this.matrixDev = new MatrixDev({
      ap: bus.ap,
      ownership: bus,
      reset: new QueueReset(bus.ap, bus.clock, core.log),
      interrupts: new QueueInterrupts(bus.ap, bus.clock),
      generation,
      log: core.log,
    });
    this.driver = queueDriver(this.matrixDev);
    bus.register(this.driver);
    this.#mdevDriver = this.#makeMdevDriver();
    mdevBus.register(this.#mdevDriver);
    this.parent = new MdevParent(mdevBus, {
      device: this.#matrixDevice.device,
      driver: this.#mdevDriver,
      types: [{ name: 'passthrough', prettyName: 'VFIO AP Passthrough Device' }],
      instances,
      noInstance: generation.noInstance,
    });
  }

  /** Makes a mediated device, as a write to the type's `create` does. @throws VfioError */
  create(text: string): VfioApInstance {
    return this.#instanceOf(this.parent.types[0]!.create(text));
  }

  /** The mediated devices by UUID. One that is being removed counts until it is gone. */
  get instances(): ReadonlyMap<string, VfioApInstance> {
    return this.#instances;
  }

  /**
   * Unloads the module: mediated devices go, then its queues lose their driver and stay without one.
   *
   * @throws VfioError `EBUSY` while a device is open.
   */
  unload(): void {
    const { core, bus } = this.kernel;
    if (core.module(MODULE).references > 0)
      throw new VfioError('EBUSY', 'vfio_ap: in use; close the VFIO devices that are open first');
    // Nothing is open, so nothing of this can block.
    void this.parent.unregister();
    void this.mdevBus.unregister(this.#mdevDriver);
    void bus.unregister(this.driver);
    this.#matrixDevice[Symbol.dispose]();
    core.forgetModule(MODULE);
  }

  #instanceOf(device: MdevDevice): VfioApInstance {
    return this.#instances.get(device.uuid)!;
  }

  #makeMdevDriver(): MdevDriver {
    const { matrixDev, kernel } = this;
    const { hotPlug, removeInUse } = matrixDev.generation;
    return {
      name: 'vfio_ap_mdev',
      module: MODULE,
      deviceApi: VFIO_DEVICE_API_AP_STRING,
      deviceAttributes: mdevAttributes(
        kernel.core.log,
        (device) => this.#instanceOf(device).matrix,
        hotPlug,
      ),
      probe: (mdev) => {
        const matrix = new ApMatrixMdev(mdev.uuid, matrixDev);
        matrixDev.mdevs.push(matrix);
        const vfio = this.#vfioDevice(matrix);
        this.#instances.set(mdev.uuid, { mdev, matrix, vfio });
        return 0;
      },
      checkRemove: (mdev) => {
        const { kvm } = this.#instanceOf(mdev).matrix;
        if (removeInUse === 'EBUSY' && kvm !== undefined)
          throw new VfioError('EBUSY', `${mdev.uuid}: machine "${kvm.name}" uses the device`);
      },
      remove: (mdev) => {
        const { matrix, vfio } = this.#instanceOf(mdev);
        return vfio.unregister(() => {
          matrixDev.forget(matrix);
          this.#instances.delete(mdev.uuid);
        });
      },
    };
  }

  /** The VFIO device of a matrix. While it is open the module stays in the kernel. */
  #vfioDevice(matrix: ApMatrixMdev): EmulatedDevice {
    const module = this.kernel.core.module(MODULE);
    const { attachment } = matrix;
    return new EmulatedDevice(
      matrix.uuid,
      {
        open: (kvm, pins) => {
          matrix.open(kvm, pins);
          module.references += 1;
        },
        close: () => {
          matrix.close();
          module.references -= 1;
        },
        kvmChanged: (kvm) => matrix.kvmChanged(kvm),
        request: (count) => attachment.request(count),
        dmaUnmap: (iova, size) => attachment.dmaUnmap(iova, size),
        ioctl: (command, argument, caller) =>
          attachmentIoctl(attachment, command, argument, caller),
      },
      this.groups,
      this.kernel.bus.clock,
    );
  }
}

/** The driver that vfio_ap registers on the AP bus: for queues that the host does not reserve. */
function queueDriver(matrixDev: MatrixDev): ApQueueDriver {
  const { veto, hotPlug } = matrixDev.generation;
  return {
    name: 'vfio_ap',
    module: MODULE,
    kind: 'queue',
    types: Object.values(AP_DEVICE_TYPES),
    isDefault: false,
    probe: (queue) => {
      const bound = matrixDev.probeQueue(queue.apqn);
      const show = () => `${matrixDev.statusOf(bound)}\n`;
      queue.entries.set('status', attributeFile({ name: 'status', mode: 0o444, show }, queue));
      return 0;
    },
    remove: (queue) => {
      queue.entries.delete('status');
      matrixDev.removeQueue(queue.apqn);
    },
    ...(veto && { inUse: (queues) => (matrixDev.inUse(queues) ? -ERRNO.EADDRINUSE : 0) }),
    ...(hotPlug && {
      onConfigChanged: (next, previous) => matrixDev.onConfigChanged(next, previous),
      onScanComplete: () => matrixDev.onScanComplete(),
    }),
  };
}
