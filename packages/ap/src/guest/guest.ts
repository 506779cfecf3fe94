import { DriverCore } from '@vfiokit/driver-model';
import type { DevVfio, KvmVfio } from '@vfiokit/iommu';
import { Process, VfioError } from '@vfiokit/uapi';
import { type Apqn } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import { queuesOf } from '../arch/matrix.js';
import { AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import { ApSubsystem } from '../bus/ap-subsystem.js';
import type { KernelClock } from '../kernel-clock.js';
import { Kvm, type KvmSpec, STFLE } from '../kvm/kvm.js';
import type { EmulatedDevice } from '../vfio/emulated-device.js';
import { EventInformation, isApChange } from './event-information.js';
import { GuestInstructions } from './guest-instructions.js';
import { VfioApDevice } from './vfio-ap-device.js';
import type { VfioDoor } from './vmm-files.js';

/** The features of a guest's CPU model that concern AP; the last three need the first. */
export interface ApCpuModel {
  /** AP instructions are interpreted. */
  readonly ap: boolean;
  /** QCI. */
  readonly apqci: boolean;
  /** TAPQ with the T bit. */
  readonly apft: boolean;
  /** AQIC. */
  readonly apqi: boolean;
}

/** What a guest is started with. */
export interface GuestSpec extends Omit<KvmSpec, 'facilities' | 'apie'> {
  readonly cpu?: Partial<ApCpuModel>;
  /** A VMM that does not let go of its device when the host asks. */
  readonly ignoresRequests?: boolean;
  /** Message security assist 3; decides the format of the crypto control block. */
  readonly msa3?: boolean;
}

/** How a guest stands. */
export type GuestState = 'running' | 'halted' | 'gone';

const FULL_CPU: ApCpuModel = { ap: true, apqci: true, apft: true, apqi: true };

/**
 * A guest: a VMM's process with a virtual machine, an AP bus for at most one `vfio-ap` device, and the Linux that runs
 * in it.
 */
export class Guest {
  readonly name: string;
  readonly kvm: Kvm;
  readonly process = new Process();
  readonly cpu: ApCpuModel;
  /** What the guest's channel subsystem has to tell it. */
  readonly events = new EventInformation();
  /** By which the machine is tied to VFIO files. */
  readonly kvmVfio: KvmVfio;
  #device: VfioApDevice | undefined;
  #linux: ApSubsystem | undefined;
  #state: GuestState = 'running';
  readonly #ignoresRequests: boolean;
  #configEvents = 0;

  /** Starts the VMM. @throws VfioError `EINVAL` for a CPU model that has a part of AP without AP. */
  constructor(
    spec: GuestSpec,
    host: ApInstructions,
    private readonly dev: DevVfio,
    private readonly clock: KernelClock,
  ) {
    this.name = spec.name;
    this.cpu = { ...FULL_CPU, ...spec.cpu };
    this.#ignoresRequests = spec.ignoresRequests ?? false;
    const { ap, apqci, apft, apqi } = this.cpu;
    if (!ap && spec.cpu && (spec.cpu.apqci || spec.cpu.apft || spec.cpu.apqi))
      throw new VfioError(
        'EINVAL',
        `guest "${spec.name}": apqci, apft and apqi need the feature ap`,
      );
    const facilities = [
      ...(ap && apqci ? [STFLE.AP_QUERY_CONFIGURATION] : []),
      ...(ap && apft ? [STFLE.AP_FACILITIES_TEST] : []),
      ...(ap && apqi ? [STFLE.AP_QUEUE_INTERRUPT_CONTROL] : []),
      ...((spec.msa3 ?? true) ? [STFLE.MSA_3] : []),
    ];
    this.kvm = new Kvm({ ...spec, facilities, apie: ap }, host, this.process);
    // A new machine has no such device yet, so this cannot be refused.
    this.kvmVfio = this.kvm.createVfioDevice() as KvmVfio;
    const { gisa } = this.kvm;
    if (gisa !== undefined) gisa.onPending = () => clock.after(0, () => this.#linux?.poll());
  }

  get state(): GuestState {
    return this.#state;
  }

  /** The device that is plugged into the machine. */
  get device(): VfioApDevice | undefined {
    return this.#device;
  }

  /** AP in the guest's own Linux, once it has booted. */
  get linux(): ApSubsystem | undefined {
    return this.#linux;
  }

  /** How often the guest was told that its AP configuration has changed. */
  get configEvents(): number {
    return this.#configEvents;
  }

  /** The queues that the guest's instructions reach now, whether its Linux knows it yet or not. */
  get usableQueues(): readonly Apqn[] {
    if (this.#state === 'gone') return [];
    return [...queuesOf(this.kvm.effective)].filter(
      (apqn) => responseCode(this.kvm.host.tapq(apqn)) !== AP_RESPONSE.Q_NOT_AVAIL,
    );
  }

  /**
   * Plugs a device in: `-device vfio-ap,sysfsdev=…`.
   *
   * @throws VfioError `ENODEV` without the CPU feature `ap`, `EBUSY` if there is one (the bus has a single slot), or what
   *   opening the device says.
   */
  plug(device: EmulatedDevice, door?: VfioDoor): void {
    if (!this.cpu.ap)
      throw new VfioError(
        'ENODEV',
        `guest "${this.name}": no AP bus; its CPU model lacks the feature ap`,
      );
    if (this.#device !== undefined)
      throw new VfioError('EBUSY', `guest "${this.name}": its AP bus is full; it takes one device`);
    this.#device = new VfioApDevice(
      this.dev,
      device,
      this.kvm,
      this.kvmVfio,
      {
        requested: () => {
          if (!this.#ignoresRequests) this.unplug();
        },
        configChanged: () => this.#configChanged(),
      },
      door,
    );
  }

  /** Unplugs the device at once. Nothing without one. */
  unplug(): void {
    const device = this.#device;
    this.#device = undefined;
    device?.[Symbol.dispose]();
    if (device !== undefined) this.#configChanged();
  }

  /** The guest's Linux starts: it scans its AP bus and resets each queue that it finds. */
  boot(): void {
    const ap = new GuestInstructions(this.kvm);
    this.#state = 'running';
    this.#linux = new ApSubsystem({
      core: new DriverCore(this.clock),
      ap,
      clock: this.clock,
    });
    this.#linux.start();
  }

  /** The machine is reset and its Linux boots again. Queues are zeroized, and stay the guest's. */
  reboot(): void {
    this.#linux?.stop();
    this.#linux = undefined;
    this.#device?.reset();
    this.boot();
  }

  /** The guest stops its CPUs. The VMM lives on, and so does everything that the guest holds. */
  halt(): void {
    this.#linux?.stop();
    this.#linux = undefined;
    this.#state = 'halted';
  }

  /** The VMM ends, of itself or killed: the kernel closes what it had open. */
  exit(): void {
    if (this.#state === 'gone') return;
    this.#linux?.stop();
    this.#linux = undefined;
    this.#state = 'gone';
    this.#device = undefined;
    this.process.fds.closeAll();
    this.kvmVfio.destroy();
    this.kvm.putReference();
  }

  /** Tries to move the guest to another host. @throws VfioError `EPERM` while a device is plugged in. */
  migrate(): void {
    if (this.#device !== undefined)
      throw new VfioError(
        'EPERM',
        `guest "${this.name}": vfio-ap cannot be migrated; unplug ${this.#device.device.name} first`,
      );
    this.exit();
  }

  #configChanged(): void {
    if (this.#state !== 'running') return;
    this.#configEvents += 1;
    this.events.raiseApChange();
    // The machine check makes Linux read events at once instead of waiting for its next scan. The host holds its locks
    // now, so the guest's CPUs run a moment later.
    const { linux } = this;
    if (linux !== undefined) this.clock.workAfter(0, () => this.#readEvents(linux));
  }

  #readEvents(linux: ApSubsystem): void {
    for (let event = this.events.store(); event !== undefined; event = this.events.store())
      if (isApChange(event)) linux.scanner.force();
  }
}
