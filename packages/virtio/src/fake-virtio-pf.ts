import { EINVAL, ENOENT } from '@vfiokit/uapi';
import {
  DEV_PARTS_COMMANDS,
  devPartHeader,
  devPartsCreate,
  devPartsSize,
  LEGACY_COMMANDS,
  NOTIFY_INFO_ENTRIES,
  notifyInfo,
  resourceObjectHeader,
  VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_SET,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO,
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY,
  VIRTIO_DEV_PART_F_OPTIONAL,
} from './admin-commands.js';
import { type NotifyAddress, VirtioPci } from './virtio-pci.js';

/** A part of a device's state. */
export interface DevPart {
  readonly type: number;
  readonly value: Uint8Array;
}

/** A VF as the fake device keeps it. */
export class FakeMember {
  /** Legacy registers that all devices have. */
  readonly common = new Uint8Array(24);
  /** Legacy registers of a network device. */
  readonly device = new Uint8Array(8);
  /** The state that migrates. */
  parts: DevPart[] = [];
  stopped = false;
  /** Objects by id: what they are for. */
  readonly objects = new Map<number, number>();
}

export interface FakeVirtioPfOptions {
  /** Commands that the device has; all of them without it. */
  readonly commands?: readonly number[];
  /** Where notifications of legacy drivers go; nowhere without it. */
  readonly notify?: NotifyAddress;
}

const PART_TYPES = 8;

/** A virtio PF whose administration virtqueue keeps the state of its VFs in memory: for tests and demonstrations. */
export class FakeVirtioPf extends VirtioPci {
  readonly commands: ReadonlySet<number>;
  /** Every command so far, as opcode and member. */
  readonly log: (readonly [opcode: number, member: number])[] = [];
  /** Opcodes that fail, with their errno. */
  readonly failing = new Map<number, number>();
  readonly #notify: NotifyAddress | undefined;
  readonly #members = new Map<number, FakeMember>();

  constructor({
    commands = [...LEGACY_COMMANDS, ...DEV_PARTS_COMMANDS],
    notify,
  }: FakeVirtioPfOptions = {}) {
    super();
    this.commands = new Set(commands);
    this.#notify = notify;
  }

  /** A VF, counted from 1. */
  member(number: number): FakeMember {
    const member = this.#members.get(number) ?? new FakeMember();
    this.#members.set(number, member);
    return member;
  }

  execute(opcode: number, number: number, data: Uint8Array, room = 0): Uint8Array | number {
    this.log.push([opcode, number]);
    const failing = this.failing.get(opcode);
    if (failing !== undefined) return -failing;
    return this.#execute(opcode, this.member(number), data, room);
  }

  #execute(
    opcode: number,
    member: FakeMember,
    data: Uint8Array,
    room: number,
  ): Uint8Array | number {
    switch (opcode) {
      case VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ:
        return member.common.slice(data[0], data[0]! + room);
      case VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE:
        return write(member.common, data);
      case VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ:
        return member.device.slice(data[0], data[0]! + room);
      case VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE:
        return write(member.device, data);
      case VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO:
        return this.#notifyInfo();
      case VIRTIO_ADMIN_CMD_DEV_MODE_SET:
        member.stopped = (data[0]! & VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED) !== 0;
        return 0;
      case VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE: {
        const { object, type } = devPartsCreate.decode(data);
        member.objects.set(object.id, type);
        return 0;
      }
      default:
        return this.#devParts(opcode, member, data);
    }
  }

  #devParts(opcode: number, member: FakeMember, data: Uint8Array): Uint8Array | number {
    const { id } = resourceObjectHeader.decode(data);
    if (!member.objects.has(id)) return -ENOENT;
    switch (opcode) {
      case VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY:
        member.objects.delete(id);
        return 0;
      case VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET:
        return devPartsSize.encode({ size: BigInt(encodeParts(member.parts).length) });
      case VIRTIO_ADMIN_CMD_DEV_PARTS_GET:
        return encodeParts(member.parts);
      case VIRTIO_ADMIN_CMD_DEV_PARTS_SET:
        return setParts(member, data.subarray(resourceObjectHeader.size));
      default:
        return -EINVAL;
    }
  }

  #notifyInfo(): Uint8Array {
    const entries = new Uint8Array(NOTIFY_INFO_ENTRIES * notifyInfo.size);
    if (this.#notify === undefined) return entries;
    const { bar, offset } = this.#notify;
    const flags = VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM;
    return notifyInfo.encode({ flags, bar, offset: BigInt(offset) }, entries);
  }
}

function write(registers: Uint8Array, data: Uint8Array): number {
  if (data[0]! + data.length - 8 > registers.length) return -EINVAL;
  registers.set(data.subarray(8), data[0]);
  return 0;
}

/** Parts as they travel: a header and the value each. */
export function encodeParts(parts: readonly DevPart[]): Uint8Array {
  const size = parts.reduce((sum, { value }) => sum + devPartHeader.size + value.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { type, value } of parts) {
    devPartHeader.encode({ type, flags: 0, length: value.length }, bytes, at);
    bytes.set(value, at + devPartHeader.size);
    at += devPartHeader.size + value.length;
  }
  return bytes;
}

/** All parts or none: the device keeps its state if one of them is malformed or unknown and not optional. */
function setParts(member: FakeMember, bytes: Uint8Array): number {
  const parts: DevPart[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { type, flags, length } = devPartHeader.decode(bytes, at);
    const start = at + devPartHeader.size;
    if (start + length > bytes.length) return -EINVAL;
    const known = type < PART_TYPES;
    if (!known && (flags & VIRTIO_DEV_PART_F_OPTIONAL) === 0) return -EINVAL;
    if (known) parts.push({ type, value: bytes.slice(start, start + length) });
    at = start + length;
  }
  member.parts = parts;
  return 0;
}
