import { pfDriverData, vfIndex } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { EINVAL } from '@vfiokit/uapi';
import {
  DEV_PARTS_COMMANDS,
  devPartsCreate,
  devPartsQuery,
  devPartsSize,
  LEGACY_COMMANDS,
  NOTIFY_INFO_ENTRIES,
  notifyInfo,
  resourceObjectHeader,
  VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_ALL,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_SIZE,
  VIRTIO_ADMIN_CMD_DEV_PARTS_SET,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO,
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY,
  VIRTIO_RESOURCE_OBJ_DEV_PARTS,
  VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET,
  VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET,
} from './admin-commands.js';

/** The native driver of a virtio PF, with its administration virtqueue (drivers/virtio/virtio_pci_modern.c). */
export abstract class VirtioPci {
  /** Which commands the device has. */
  abstract readonly commands: ReadonlySet<number>;

  /**
   * Carries out a command for a member of the SR-IOV group.
   *
   * @param member the VF, counted from 1.
   * @param room bytes of room for the result; as much as it takes without it.
   * @returns the result's bytes, or the negated errno that the command's status stands for.
   */
  abstract execute(
    opcode: number,
    member: number,
    data: Uint8Array,
    room?: number,
  ): Uint8Array | number;
}

const NO_DATA = new Uint8Array(0);

/** Where a legacy driver's queue notifications go. */
export interface NotifyAddress {
  readonly bar: number;
  readonly offset: number;
}

/** A VF as its PF's administration virtqueue knows it: each method is one command, 0 or more, or a negated errno. */
export class AdminMember {
  constructor(
    private readonly pf: VirtioPci,
    private readonly member: number,
  ) {}

  get hasLegacyIo(): boolean {
    return LEGACY_COMMANDS.every((command) => this.pf.commands.has(command));
  }

  get hasDevParts(): boolean {
    return DEV_PARTS_COMMANDS.every((command) => this.pf.commands.has(command));
  }

  /** Reads registers of the legacy interface: those that all devices have, or this device's own. */
  legacyRead(common: boolean, offset: number, into: Uint8Array): number {
    const opcode = common
      ? VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ
      : VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ;
    const result = this.#execute(opcode, Uint8Array.of(offset), into.length);
    if (typeof result === 'number') return result;
    into.set(result.subarray(0, into.length));
    return 0;
  }

  legacyWrite(common: boolean, offset: number, from: Uint8Array): number {
    const opcode = common
      ? VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE
      : VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE;
    const data = new Uint8Array(8 + from.length);
    data[0] = offset;
    data.set(from, 8);
    return this.#status(opcode, data);
  }

  /** The place in the VF's own memory; undefined without one. */
  notifyAddress(): NotifyAddress | undefined | number {
    const result = this.#execute(VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO, NO_DATA);
    if (typeof result === 'number') return result;
    for (let i = 0; i < NOTIFY_INFO_ENTRIES; i += 1) {
      const { flags, bar, offset } = notifyInfo.decode(result, i * notifyInfo.size);
      if (flags === 0) return undefined;
      if (flags === VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM)
        return { bar, offset: Number(offset) };
    }
    return undefined;
  }

  /** Makes the object through which parts of the device's state are read or written. */
  createDevParts(id: number, purpose: 'get' | 'set'): number {
    const type =
      purpose === 'get'
        ? VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET
        : VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET;
    const object = { type: VIRTIO_RESOURCE_OBJ_DEV_PARTS, reserved: 0, id };
    const data = devPartsCreate.encode({ object, flags: 0n, type });
    return this.#status(VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE, data);
  }

  destroyDevParts(id: number): number {
    return this.#status(VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY, devPartsObject(id));
  }

  /** Bytes of all parts. */
  devPartsSize(id: number): number {
    const type = VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_SIZE;
    const result = this.#query(VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET, id, type);
    return typeof result === 'number' ? result : Number(devPartsSize.decode(result).size);
  }

  devParts(id: number): Uint8Array | number {
    const type = VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_ALL;
    return this.#query(VIRTIO_ADMIN_CMD_DEV_PARTS_GET, id, type);
  }

  /** @param data {@link devPartsObject} and the parts behind it. */
  setDevParts(data: Uint8Array): number {
    return this.#status(VIRTIO_ADMIN_CMD_DEV_PARTS_SET, data);
  }

  setStopped(stopped: boolean): number {
    const flags = stopped ? VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED : 0;
    return this.#status(VIRTIO_ADMIN_CMD_DEV_MODE_SET, Uint8Array.of(flags));
  }

  #query(opcode: number, id: number, type: number): Uint8Array | number {
    const object = { type: VIRTIO_RESOURCE_OBJ_DEV_PARTS, reserved: 0, id };
    return this.#execute(opcode, devPartsQuery.encode({ object, type }));
  }

  #status(opcode: number, data: Uint8Array): number {
    const result = this.#execute(opcode, data);
    return typeof result === 'number' ? result : 0;
  }

  #execute(opcode: number, data: Uint8Array, room?: number): Uint8Array | number {
    if (!this.pf.commands.has(opcode)) return -EINVAL;
    return this.pf.execute(opcode, this.member, data, room);
  }
}

/** What stands in front of the parts that {@link AdminMember.setDevParts} sends. */
export function devPartsObject(id: number): Uint8Array {
  return resourceObjectHeader.encode({ type: VIRTIO_RESOURCE_OBJ_DEV_PARTS, reserved: 0, id });
}

/** A VF's entry in its PF's group; undefined if it is no VF or its PF has another driver. */
export function adminMember(pdev: PciDevice): AdminMember | undefined {
  const pf = pfDriverData(pdev, VirtioPci);
  return typeof pf === 'number' ? undefined : new AdminMember(pf, vfIndex(pdev) + 1);
}
