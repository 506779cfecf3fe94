import { EBUSY, errnoName, VfioError } from '@vfiokit/uapi';
import type { VfioGroup } from '../group/vfio-group.js';
import type { AddressPlan, UsageModel } from '../usage/usage-model.js';
import type { AddressSpace } from './address-space.js';
import type { AssignedDevice } from './assigned-device.js';
import type { DmaSpace, SpaceProvider } from './dma-space.js';
import type { FillProblem } from './space-filler.js';

/** Something that was decided: for people, and to compare what two kinds of spaces lead to. */
export interface Decision {
  readonly device: string;
  readonly key: string;
  readonly outcome: 'shares' | 'joins' | 'creates' | 'refused';
  /** The space, by the order in which the monitor made them; `undefined` if it was refused. */
  readonly space: number | undefined;
}

/** A space, and what is done with it. */
interface FiledSpace {
  readonly number: number;
  readonly key: AddressSpace;
  readonly space: DmaSpace;
  readonly stop: () => void;
}

/** What a monitor is made with. */
export interface MonitorOptions {
  readonly model: UsageModel;
  readonly provider: SpaceProvider;
  /** The guest's memory. */
  readonly system: AddressSpace;
  readonly plan: AddressPlan;
}

/**
 * The VFIO side of a virtual machine monitor: gives each assigned device a DMA space, as a usage model says
 * (QEMU's hw/vfio/container.c). What it asks of spaces is in the model; which spaces those are, is not its business.
 */
export class Monitor {
  readonly #spaces: FiledSpace[] = [];
  readonly #devices = new Map<AssignedDevice, FiledSpace>();
  readonly #warnings: string[] = [];
  readonly #decisions: Decision[] = [];
  #numbers = 0;
  #started = false;
  #failure: string | undefined;

  constructor(private readonly options: MonitorOptions) {}

  /** What has been decided so far. */
  get decisions(): readonly Decision[] {
    return this.#decisions;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Why the machine has had to stop: memory could not be mapped while it ran. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** The spaces, each with the address space that it is for. */
  get spaces(): readonly { readonly key: AddressSpace; readonly space: DmaSpace }[] {
    return this.#spaces;
  }

  /** The space of a device. */
  spaceOf(device: AssignedDevice): DmaSpace | undefined {
    return this.#devices.get(device)?.space;
  }

  /** The guest runs from now on: what can't be mapped stops it. */
  start(): void {
    this.#started = true;
  }

  /**
   * Gives a device a space: one that its key has already, if it takes the device's group, or a new one.
   *
   * @throws VfioError EOPNOTSUPP (spaces lack what the model needs: the message says what), EBUSY (the group is used
   * under another key), EPERM (the group is not viable), or what a space refuses the group with.
   */
  connect(device: AssignedDevice): DmaSpace {
    const { model, system } = this.options;
    const key = model.key(device, system);
    try {
      const [filed, outcome] = this.#choose(device, key);
      this.#devices.set(device, filed);
      this.#decisions.push({ device: device.name, key: key.name, outcome, space: filed.number });
      return filed.space;
    } catch (error) {
      const refused = { outcome: 'refused', space: undefined } as const;
      this.#decisions.push({ device: device.name, key: key.name, ...refused });
      throw error;
    }
  }

  /** Takes a device away. With the last one of its group the group leaves; with the last group the space goes. */
  disconnect(device: AssignedDevice): void {
    const filed = this.#devices.get(device);
    if (filed === undefined) return;
    this.#devices.delete(device);
    const { group } = device;
    if ([...this.#devices.keys()].some((other) => other.group === group)) return;
    const last = filed.space.groups.length === 1;
    // Who follows the guest has to stop first: it would find nothing to unmap from.
    if (last) filed.stop();
    filed.space.expel(group);
    if (!last) return;
    this.#spaces.splice(this.#spaces.indexOf(filed), 1);
    filed.space.close();
  }

  #choose(device: AssignedDevice, key: AddressSpace): [FiledSpace, Decision['outcome']] {
    const { group } = device;
    const holder = this.#spaces.find(({ space }) => space.groups.includes(group));
    if (holder && holder.key === key) return [holder, 'shares'];
    if (holder)
      throw new VfioError(
        'EBUSY',
        `${device.name}: group ${group.id} is used in ${holder.key.name}, and can't be in ${key.name} too; put all of its devices behind one`,
      );
    this.#checkNeeds(device);
    let refusal = 0;
    for (const filed of this.#spaces) {
      if (filed.key !== key) continue;
      refusal = this.#full(filed.space) ? -EBUSY : filed.space.accept(group);
      if (refusal === 0) return [filed, 'joins'];
    }
    if (refusal !== 0 && this.options.model.otherwise === 'refuse')
      throw this.#refused(device, refusal);
    return [this.#create(device, key), 'creates'];
  }

  #full({ groups }: DmaSpace): boolean {
    const { groupsPerSpace } = this.options.model;
    return groupsPerSpace !== null && groups.length >= groupsPerSpace;
  }

  #checkNeeds(device: AssignedDevice): void {
    const { model, provider, plan } = this.options;
    if (device.group.status() === 0)
      throw new VfioError(
        'EPERM',
        `${device.name}: group ${device.group.id} is not viable: ${device.group.iommuGroup.holders.join(', ') || 'somebody else'} uses it`,
      );
    const capabilities = provider.capabilities(device.group);
    const lacks = model.lacks(capabilities, plan);
    if (lacks.length > 0)
      throw new VfioError(
        'EOPNOTSUPP',
        `${device.name}: ${capabilities.name} cannot serve ${model.name}: ${lacks.join('; ')}`,
      );
  }

  #create(device: AssignedDevice, key: AddressSpace): FiledSpace {
    const { model, provider, system, plan } = this.options;
    const space = provider.create();
    const refusal = space.accept(device.group);
    if (refusal !== 0) {
      space.close();
      throw this.#refused(device, refusal);
    }
    const first: string[] = [];
    let filling = true;
    const report = ({ severity, message }: FillProblem) => {
      if (severity === 'warning') this.#warnings.push(message);
      else if (filling) first.push(message);
      else this.#fail(message);
    };
    const stop = model.populate(space, device, { system, hostPage: plan.hostPage, report });
    filling = false;
    if (first.length > 0) {
      stop();
      space.expel(device.group);
      space.close();
      throw new VfioError('ENOMEM', `${device.name}: ${first[0]}`);
    }
    this.#numbers += 1;
    const filed = { number: this.#numbers, key, space, stop };
    this.#spaces.push(filed);
    return filed;
  }

  /** A machine that runs cannot do without its memory. One that does not yet is only told. */
  #fail(message: string): void {
    if (this.#started) this.#failure ??= message;
    else this.#warnings.push(message);
  }

  #refused({ name, group }: { name: string; group: VfioGroup }, errno: number): VfioError {
    const { otherwise } = this.options.model;
    const help = otherwise === 'refuse' ? '; put it into an address space of its own' : '';
    return VfioError.fromErrno(
      errno,
      `${name}: no space takes group ${group.id}: ${errnoName(errno)}${help}`,
    );
  }
}
