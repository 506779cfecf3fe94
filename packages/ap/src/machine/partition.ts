import { Directory, DriverCore, ModelSysfs } from '@vfiokit/driver-model';
import { MdevBus } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';
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
  readonly clock = new KernelClock();
  readonly core = new DriverCore(this.clock);
  readonly hardware: ApHardware;
  readonly mdevBus = new MdevBus(this.core);
  readonly sysfs = new ModelSysfs(new Directory({ sys: this.core.sys }));
  readonly shell = new Shell(this.core.sys, this.core.log);
  readonly #guests = new Map<string, Guest>();

  constructor(hardware: HardwareSpec) {
    this.hardware = new ApHardware(hardware, this.clock);
  }

  /** The guests whose VMM runs, by name. */
  get guests(): ReadonlyMap<string, Guest> {
    return new Map([...this.#guests].filter(([, guest]) => guest.state !== 'gone'));
  }

  /** Starts a VMM. @throws VfioError `EEXIST` for a name that runs, or as {@link Guest}. */
  startGuest(spec: GuestSpec): Guest {
    if (this.guests.has(spec.name)) throw new VfioError('EEXIST', `guest "${spec.name}": runs`);
    const guest = new Guest(spec, this.hardware, this.clock);
    this.#guests.set(spec.name, guest);
    return guest;
  }
}
