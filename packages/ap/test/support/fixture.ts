import {
  ApMachine,
  type ApMachineSpec,
  type ApMatrixMdev,
  type ApQueueDriver,
  type EmulatedDevice,
  formatApqn,
  type Guest,
  type GuestSpec,
  handlePqap,
  Kvm,
  type KvmSpec,
  openVmmFiles,
  type PagePins,
  type PqapOutcome,
  type VfioApInstance,
  type VfioDoor,
  type VmmFiles,
} from '@vfiokit/ap';
import type { Blocking } from '@vfiokit/driver-model';
import type { KvmVfio } from '@vfiokit/iommu';
import type { IoctlArgument, Process, VfioDevice } from '@vfiokit/uapi';

export const M1 = '11111111-1111-1111-1111-111111111111';
export const M2 = '22222222-2222-2222-2222-222222222222';
export const BUS = '/sys/bus/ap';
export const MATRIX = '/sys/devices/vfio_ap/matrix';
export const TYPE = `${MATRIX}/mdev_supported_types/vfio_ap-passthrough`;

/** Adapters 5 and 6, usage domains 4, 0x47 and 0xab, control domain 4; everything works. */
export const HARDWARE = {
  adapters: [5, 6],
  domains: [4, 0x47, 0xab],
  controlDomains: [4],
} as const;

/** Everything that {@link HARDWARE} has, in the order in which it is listed. */
export const ALL_QUEUES = ['05.0004', '05.0047', '05.00ab', '06.0004', '06.0047', '06.00ab'];

/** The checklist's machine: vfio_ap loaded, masks full. */
export function machine(spec: Partial<ApMachineSpec> = {}): Fixture {
  return new Fixture({ ...spec, hardware: { ...HARDWARE, ...spec.hardware } });
}

/** The checklist's "FREE": adapters 5 and 6 are not the host's. */
export function free(spec: Partial<ApMachineSpec> = {}): Fixture {
  const fixture = machine(spec);
  fixture.writeBus('apmask', '-5,-6');
  return fixture;
}

/** A machine with short words for what tests do all the time. */
export class Fixture extends ApMachine {
  constructor(spec: ApMachineSpec, load = true) {
    super(spec);
    if (load) this.loadVfioAp();
  }

  readBus(attribute: string): string {
    return this.shell.cat(`${BUS}/${attribute}`);
  }

  writeBus(attribute: string, text: string): void {
    void this.shell.echo(text, `${BUS}/${attribute}`);
  }

  /** What user space was told from the `from`th event on, by the last part of each path. */
  uevents(from = 0): { action: string; device: string; env: Readonly<Record<string, string>> }[] {
    return this.core.uevents.events
      .slice(from)
      .map(({ action, devpath, env }) => ({ action, device: devpath.split('/').at(-1)!, env }));
  }

  /** The lines of the kernel's log. */
  dmesg(): string[] {
    return this.core.log.lines.map(({ subject, text }) => `${subject}: ${text}`);
  }

  /** A queue's or card's file. */
  device(name: string, attribute: string): string {
    return `${BUS}/devices/${name}/${attribute}`;
  }

  /** The name of the driver that a device is bound to. */
  driverOf(name: string): string | undefined {
    return this.kernel.bus.devices.get(name)?.driver?.name;
  }

  boundTo(driver: string): string[] {
    return [...this.kernel.bus.queues()]
      .filter((q) => q.driver?.name === driver)
      .map((q) => q.name);
  }

  create(uuid = M1): Mdev {
    void this.shell.echo(uuid, `${TYPE}/create`);
    return new Mdev(this, uuid);
  }

  /** A mediated device with a matrix. */
  assigned(adapters: readonly number[], domains: readonly number[], uuid = M1): Mdev {
    const mdev = this.create(uuid);
    for (const id of adapters) mdev.write('assign_adapter', `${id}`);
    for (const id of domains) mdev.write('assign_domain', `${id}`);
    return mdev;
  }

  /** A guest that has this device. */
  guestWith(mdev: Mdev, spec: Partial<GuestSpec> = {}): Guest {
    const guest = this.startGuest({ name: 'g1', ...spec });
    guest.plug(mdev.instance.vfio);
    return guest;
  }
}

/** A mediated device by its files. */
export class Mdev {
  readonly instance: VfioApInstance;

  constructor(
    private readonly fixture: Fixture,
    readonly uuid: string,
  ) {
    this.instance = fixture.vfioAp!.instances.get(uuid)!;
  }

  get matrix(): ApMatrixMdev {
    return this.instance.matrix;
  }

  read(attribute: string): string {
    return this.fixture.shell.cat(`${MATRIX}/${this.uuid}/${attribute}`);
  }

  write(attribute: string, text: string): void {
    void this.fixture.shell.echo(text, `${MATRIX}/${this.uuid}/${attribute}`);
  }

  /** Removes the device; a promise if somebody has it open. */
  remove(): Blocking<void> {
    return this.fixture.shell.echo('1', `${MATRIX}/${this.uuid}/remove`);
  }

  /** The lines of `matrix`. */
  get assigned(): string[] {
    return lines(this.read('matrix'));
  }

  /** The lines of `guest_matrix`. */
  get passed(): string[] {
    return lines(this.read('guest_matrix'));
  }
}

/** A VMM that opens a device step by step, for a machine of its own unless told. */
export class Opener {
  readonly kvm: Kvm;
  readonly files: VmmFiles;
  /** The machine's VFIO device, if this has made it. */
  readonly kvmVfio: KvmVfio | undefined;

  constructor(
    partition: Pick<ApMachine, 'dev' | 'hardware'>,
    readonly vfio: EmulatedDevice,
    { kvm, door = 'group' }: { kvm?: Kvm; door?: VfioDoor } = {},
  ) {
    this.kvm = kvm ?? new Kvm({ name: 'opener' }, partition.hardware);
    const kvmVfio = this.kvm.createVfioDevice();
    this.kvmVfio = typeof kvmVfio === 'number' ? undefined : kvmVfio;
    this.files = openVmmFiles(door, partition.dev, vfio, this.kvm);
  }

  /** Ties the machine to what is open. A machine that somebody else has made its VFIO device for brings that along. */
  tie(kvmVfio = this.kvmVfio!): this {
    this.files.addToKvm(kvmVfio);
    return this;
  }

  open(): VfioDevice {
    return this.files.openDevice();
  }
}

/** A user who has a device open by its group file for a machine, and does not let go when asked. */
export class Holder {
  readonly kvm: Kvm;
  readonly file: VfioDevice;
  readonly #opener: Opener;
  readonly #mdev: Mdev;

  constructor(partition: ApMachine, mdev: Mdev, spec: Partial<KvmSpec> = {}) {
    this.kvm = new Kvm({ name: 'holder', ...spec }, partition.hardware);
    this.#mdev = mdev;
    this.#opener = new Opener(partition, mdev.instance.vfio, { kvm: this.kvm }).tie();
    this.file = this.#opener.open();
  }

  get process(): Process {
    return this.kvm.process;
  }

  get kvmVfio(): KvmVfio {
    return this.#opener.kvmVfio!;
  }

  /** What is pinned of the machine's storage. */
  get pins(): PagePins {
    return this.#mdev.instance.vfio.pins;
  }

  /** Opens the device once more through the group. */
  openAgain(): VfioDevice {
    return this.#opener.open();
  }

  /** Takes the piece of storage around an address out of what is mapped for the device. */
  unmap(address: number): void {
    this.#opener.files.unmap(address);
  }

  /** An ioctl on the open device. */
  ioctl(command: number, argument: IoctlArgument = 0): number {
    return this.file.ioctl(command, argument, this.process);
  }

  /** The machine issues PQAP(AQIC) for a queue. */
  aqic(apqn: number, enable: boolean, nib = 0x5000, isc = 3): PqapOutcome {
    return handlePqap(this.kvm, {
      gr0: 0x0300_0000n | BigInt(apqn),
      gr1: (enable ? 0x8000_0000_0000n : 0n) | BigInt(isc),
      gr2: BigInt(nib),
    });
  }

  close(): void {
    this.#opener.files.close();
  }
}

/** The response code that an outcome of PQAP has in register 1; `undefined` if it has none. */
export function rcOf(outcome: PqapOutcome): number | undefined {
  return outcome.kind === 'done' ? Number((outcome.gr1 >> 16n) & 0xffn) : undefined;
}

/** The queues that a guest's instructions reach. */
export function usable(guest: Guest): string[] {
  return guest.usableQueues.map(formatApqn);
}

export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** What an action throws: an errno's name; `ok` if nothing. */
export function errnoOf(action: () => unknown): string {
  try {
    action();
    return 'ok';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

/** A driver for no queue at all, which answers or listens. */
export function bystander(callbacks: Partial<ApQueueDriver>): ApQueueDriver {
  return {
    name: 'bystander',
    kind: 'queue',
    types: [],
    isDefault: false,
    probe: () => 0,
    ...callbacks,
  };
}

/** Records every instruction of one kind that reaches the hardware. */
export function record(
  fixture: ApMachine,
  instruction: 'TAPQ' | 'RAPQ' | 'ZAPQ' | 'AQIC',
): string[] {
  const seen: string[] = [];
  fixture.hardware.watch((name, apqn) => {
    if (name === instruction) seen.push(formatApqn(apqn));
  });
  return seen;
}
