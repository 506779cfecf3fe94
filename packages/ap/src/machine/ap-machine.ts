import { Directory, DriverCore, ModelSysfs } from '@vfiokit/driver-model';
import { MdevBus } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';
import { ApHardware, type HardwareSpec } from '../arch/hardware.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import { ApSubsystem } from '../bus/ap-subsystem.js';
import { Guest, type GuestSpec } from '../guest/guest.js';
import { KernelClock } from '../kernel-clock.js';
import { VfioAp, type VfioApOptions } from '../vfio-ap/vfio-ap.js';
import { Shell } from './shell.js';

/** A logical partition and the Linux that it boots. */
export interface ApMachineSpec {
  readonly hardware: HardwareSpec;
  readonly parameters?: ApBusParameters;
  readonly vfioAp?: VfioApOptions;
}

/**
 * A partition with crypto adapters that runs Linux with the AP bus of today's kernel, and guests on it.
 *
 * {@link sysfs} and {@link shell} are what an administrator has of it; {@link hardware} is what the operator at the
 * console has.
 */
export class ApMachine {
  readonly clock = new KernelClock();
  readonly core = new DriverCore(this.clock);
  readonly hardware: ApHardware;
  readonly mdevBus = new MdevBus(this.core);
  readonly kernel: ApSubsystem;
  readonly sysfs = new ModelSysfs(new Directory({ sys: this.core.sys }));
  readonly shell = new Shell(this.core.sys, this.core.log);
  readonly #guests = new Map<string, Guest>();
  #vfioAp: VfioAp | undefined;

  /** Switches the machine on and boots its Linux, without vfio_ap. */
  constructor(private readonly spec: ApMachineSpec) {
    const { core, clock } = this;
    const hardware = new ApHardware(spec.hardware, clock);
    this.hardware = hardware;
    this.kernel = new ApSubsystem({ core, ap: hardware, clock }, spec.parameters, {
      get available() {
        return hardware.sclp !== 'absent';
      },
      configure: (apid, configured) => hardware.sclpConfigure(apid, configured),
    });
    this.kernel.start();
  }

  /** The module vfio_ap, while it is loaded. */
  get vfioAp(): VfioAp | undefined {
    return this.#vfioAp;
  }

  /** The guests whose VMM runs, by name. */
  get guests(): ReadonlyMap<string, Guest> {
    return new Map([...this.#guests].filter(([, guest]) => guest.state !== 'gone'));
  }

  /** `modprobe vfio_ap`. @throws VfioError `EEXIST` if it is loaded, `ENODEV` without AP instructions. */
  loadVfioAp(): VfioAp {
    if (this.#vfioAp !== undefined) throw new VfioError('EEXIST', 'vfio_ap: is loaded');
    this.#vfioAp = new VfioAp(this.kernel, this.mdevBus, this.spec.vfioAp);
    return this.#vfioAp;
  }

  /** `rmmod vfio_ap`. @throws VfioError `ENOENT` if it is not loaded, `EBUSY` while a device is open. */
  unloadVfioAp(): void {
    if (this.#vfioAp === undefined) throw new VfioError('ENOENT', 'vfio_ap: is not loaded');
    this.#vfioAp.unload();
    this.#vfioAp = undefined;
  }

  /** Starts a VMM. @throws VfioError `EEXIST` for a name that runs, or as {@link Guest}. */
  startGuest(spec: GuestSpec): Guest {
    if (this.guests.has(spec.name)) throw new VfioError('EEXIST', `guest "${spec.name}": runs`);
    const guest = new Guest(spec, this.hardware, this.clock);
    this.#guests.set(spec.name, guest);
    return guest;
  }
}
