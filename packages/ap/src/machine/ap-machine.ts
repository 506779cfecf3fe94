import { VfioError } from '@vfiokit/uapi';
import type { ApHardware, HardwareSpec } from '../arch/hardware.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import { ApSubsystem } from '../bus/ap-subsystem.js';
import { VfioAp, type VfioApOptions } from '../vfio-ap/vfio-ap.js';
import { Partition } from './partition.js';

/** A logical partition and the Linux that it boots. */
export interface ApMachineSpec {
  readonly hardware: HardwareSpec | ApHardware;
  readonly parameters?: ApBusParameters;
  readonly vfioAp?: VfioApOptions;
}

/** A partition that runs Linux as it is: the AP bus on the partition's own instructions, and vfio_ap as a driver on it. */
export class ApMachine extends Partition {
  readonly kernel: ApSubsystem;
  #vfioAp: VfioAp | undefined;

  /** Switches the machine on and boots its Linux, without vfio_ap. */
  constructor(private readonly spec: ApMachineSpec) {
    super(spec.hardware);
    const { core, clock, hardware } = this;
    this.kernel = new ApSubsystem({ core, ap: hardware, clock }, spec.parameters, hardware.sclp);
    this.kernel.start();
  }

  /** The module vfio_ap, while it is loaded. */
  get vfioAp(): VfioAp | undefined {
    return this.#vfioAp;
  }

  /** `modprobe vfio_ap`. @throws VfioError `EEXIST` if it is loaded, `ENODEV` without AP instructions. */
  loadVfioAp(): VfioAp {
    if (this.#vfioAp !== undefined) throw new VfioError('EEXIST', 'vfio_ap: is loaded');
    this.#vfioAp = new VfioAp(this.kernel, this.mdevBus, this.groups, this.spec.vfioAp);
    return this.#vfioAp;
  }

  /** `rmmod vfio_ap`. @throws VfioError `ENOENT` if it is not loaded, `EBUSY` while a device is open. */
  unloadVfioAp(): void {
    if (this.#vfioAp === undefined) throw new VfioError('ENOENT', 'vfio_ap: is not loaded');
    this.#vfioAp.unload();
    this.#vfioAp = undefined;
  }

  override crash(): void {
    this.kernel.stop();
    super.crash();
  }
}
