import { Directory, DriverCore, ModelSysfs } from '@vfiokit/driver-model';
import { DevVfio, registerIommu, VfioGroups } from '@vfiokit/iommu';
import { MdevBus } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';
import { container } from 'tsyringe';
import { ApHardware, type HardwareSpec } from '../arch/hardware.js';
import { Guest, type GuestSpec } from '../guest/guest.js';
import { KernelClock } from '../kernel-clock.js';
import { Shell } from './shell.js';

/**
 * A logical partition with crypto adapters and the kernel that it runs, whatever that kernel does with them, and guests.
 *
 * {@link sysfs} and {@link shell} are what an administrator has of it; {@link hardware} is what the operator at the
 * console has.
 */
export class Partition {
  readonly clock: KernelClock;
  readonly core: DriverCore;
  readonly hardware: ApHardware;
  readonly mdevBus: MdevBus;
  readonly sysfs: ModelSysfs;
  readonly shell: Shell;
  /** VFIO's groups, and the nodes in `/dev` by which user space opens their devices. */
  readonly groups: VfioGroups;
  readonly dev: DevVfio;
  readonly #guests = new Map<string, Guest>();

  /** @param hardware what the partition is made of, or the hardware itself if a system ran on it before. */
  constructor(hardware: HardwareSpec | ApHardware) {
    this.hardware =
      hardware instanceof ApHardware ? hardware : new ApHardware(hardware, new KernelClock());
    this.clock = this.hardware.clock;
    this.core = new DriverCore(this.clock);
    this.mdevBus = new MdevBus(this.core);
    this.sysfs = new ModelSysfs(new Directory({ sys: this.core.sys }));
    this.shell = new Shell(this.core.sys, this.core.log);
    const services = container.createChildContainer();
    registerIommu(services);
    this.groups = services.resolve(VfioGroups);
    this.dev = services.resolve(DevVfio);
  }

  /** The guests whose VMM runs, by name. */
  get guests(): ReadonlyMap<string, Guest> {
    return new Map([...this.#guests].filter(([, guest]) => guest.state !== 'gone'));
  }

  /** The system stops where it stands, with everything that runs on it. Nobody is told. */
  crash(): void {
    for (const guest of this.#guests.values()) guest.linux?.stop();
    this.hardware.ipl();
  }

  /** Starts a VMM. @throws VfioError `EEXIST` for a name that runs, or as {@link Guest}. */
  startGuest(spec: GuestSpec): Guest {
    if (this.guests.has(spec.name)) throw new VfioError('EEXIST', `guest "${spec.name}": runs`);
    const guest = new Guest(spec, this.hardware, this.dev, this.clock);
    this.#guests.set(spec.name, guest);
    return guest;
  }
}
