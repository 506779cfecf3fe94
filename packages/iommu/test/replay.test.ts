import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import {
  type IommuGroup,
  iommuFromRegisters,
  kernelRelease,
  parseReservedRegions,
} from '@vfiokit/iommu';
import { EventFd, errnoName, VfioError } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import { EduDma } from './support/edu-dma.js';
import { OtherFile, StubDevice, TestHost } from './support/host.js';
import { COMMANDS, swapped } from './support/recorded-structures.js';

/** The recordings that come with the repository, and beside it perhaps all that were made. */
const FOLDERS = ['../../../test/fixtures/traces/', '../../../../shared/traces/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const BITMAP = 0x400_0000_0000;

/** A recorded line, as far as containers and groups are concerned. */
interface Line {
  readonly seq: number;
  readonly op: string;
  readonly obj?: string;
  readonly cmd?: string;
  readonly ret?: number;
  readonly in?: string;
  readonly out?: string;
  readonly arg?: number;
  readonly badptr?: boolean;
  readonly bm_bad?: number;
  readonly bitmap?: string;
  readonly name?: string;
  readonly group?: number;
  readonly fd?: number;
  readonly dev?: number;
  readonly on?: boolean;
  readonly bytes?: number;
  readonly bound?: boolean;
  readonly r?: number;
  readonly o?: number;
  readonly addr?: string;
  readonly hex?: string;
}

interface Meta {
  readonly endian: string;
  readonly pagesize: number;
  readonly kernel: string;
  readonly fds: Record<string, number>;
  readonly mem: Record<string, string>;
  readonly modparams: Record<string, string>;
  readonly devices: readonly { readonly bdf: string; readonly iommu_group?: string }[];
  readonly groups: readonly {
    id: number;
    type: string;
    reserved_regions: string[];
    members: string[];
  }[];
  readonly iommu: readonly { name: string }[];
}

/** A device whose names and tokens are what was recorded: they are the driver's business. */
class RecordedDevice extends StubDevice {
  recorded = 0;
  override match(text: string): number {
    if (!text.startsWith(this.name)) return 0;
    const rest = text.slice(this.name.length);
    if (rest !== '' && !rest.startsWith(' ')) return 0;
    return this.recorded === -13 || (rest.trim() !== '' && this.recorded < 0) ? this.recorded : 1;
  }
}

class Replayer {
  readonly host: TestHost;
  readonly devices: readonly RecordedDevice[];
  readonly edu: EduDma;
  readonly argument = new Uint8Array(4096);
  compared = 0;
  readonly differences: string[] = [];

  constructor(readonly meta: Meta) {
    const power = meta.iommu.some(({ name }) => name.startsWith('iommu-phb'));
    this.host = new TestHost({
      backends: [power ? 'spapr-tce' : 'type1', 'noiommu'],
      parameters: {
        pageSize: meta.pagesize,
        allowUnsafeInterrupts: meta.modparams.allow_unsafe_interrupts === 'Y',
        dmaEntryLimit: Number(meta.modparams.dma_entry_limit ?? 65535),
        release: kernelRelease(meta.kernel),
        deviceCdev: false,
      },
    });
    const { process } = this.host;
    process.memory.map({
      address: Number(meta.mem.readonly),
      size: Number(meta.mem.readonly_size),
      writable: false,
    });
    process.memory.map({
      address: BITMAP,
      size: 32768,
      writable: true,
      bytes: new Uint8Array(32768),
    });
    process.fds.set(meta.fds.null!, new OtherFile());
    for (let i = 0; i < meta.fds.neventfd!; i += 1)
      process.fds.set(meta.fds.eventfd! + i, new EventFd());
    const iommu = meta.iommu[0] && iommuFromRegisters(meta.iommu[0]);
    const groups = new Map<string, IommuGroup>();
    for (const { id, type, reserved_regions } of meta.groups)
      if (id >= 0)
        groups.set(
          `${id}`,
          this.host.iommuGroups.create({
            id,
            type,
            reserved: parseReservedRegions(reserved_regions),
            ...(iommu && { iommu }),
          }),
        );
    this.devices = meta.devices.map(
      ({ bdf, iommu_group }) => new RecordedDevice(bdf, groups.get(iommu_group ?? '')),
    );
    this.edu = new EduDma(this.devices[0]?.iommuGroup?.dma, this.host.arena);
  }

  /** Offers the devices that the recorder found bound. */
  prepare(lines: readonly Line[]): void {
    for (const [index, device] of this.devices.entries())
      if (!lines.some(({ op, dev }) => op === 'bind' && dev === index))
        this.host.groups.register(device);
  }

  run(line: Line): void {
    const ret = this.#perform(line);
    if (ret === undefined) return;
    this.compared += 1;
    if (ret !== (line.ret ?? 0))
      this.differences.push(
        `${line.seq} ${line.obj} ${line.cmd ?? line.op}: ${text(ret)} instead of ${text(line.ret ?? 0)}`,
      );
  }

  /** What the model answers; `undefined` for what is none of its business. */
  #perform(line: Line): number | undefined {
    const { process, groups, dev } = this.host;
    const { fds } = this.meta;
    const number = line.obj === undefined ? Number.NaN : this.#fd(line.obj);
    switch (line.op) {
      case 'bind': {
        const device = this.devices[line.dev!]!;
        // Drivers refuse some functions themselves.
        if (!line.bound && device.iommuGroup) return line.ret;
        const offered = attempt(() => (groups.register(device) ? 0 : 0));
        return (offered === 0) === line.bound ? line.ret : offered;
      }
      case 'unbind_start':
        this.devices[line.dev!]!.goingAway = true;
        return undefined;
      case 'unbind':
      case 'unbind_done':
        groups.unregister(this.devices[line.dev!]!);
        return undefined;
      case 'cap_ipc_lock':
        process.credentials.ipcLock = line.on!;
        return undefined;
      case 'rlimit_memlock':
        process.credentials.memlock = line.bytes!;
        return undefined;
      case 'open':
        return attempt(() => {
          if (line.obj!.startsWith('c')) process.fds.set(number, dev.openContainer());
          else process.fds.set(number, groups.openGroup(line.group!, process));
          return 0;
        });
      case 'close':
        return process.fds.close(line.fd ?? number);
      case 'get_device_fd': {
        for (const device of this.devices) device.recorded = line.ret!;
        const name = new TextEncoder().encode(`${line.name}\0`);
        const fd = process.fds.get(number)!.ioctl!(0x3b6a, name, process);
        if (fd < 0) return fd;
        const target = line.ret! >= fds.device! ? line.ret! : fd;
        process.fds.set(target, process.fds.get(fd)!);
        if (target !== fd) process.fds.close(fd);
        return line.ret! < 0 ? fd : line.ret;
      }
      case 'ioctl':
        return line.obj!.startsWith('d') ? undefined : this.#ioctl(line, number);
      case 'section':
        this.edu.section();
        return undefined;
      case 'pwrite':
        this.edu.write(line.r!, line.o!, line.in ?? '', line.ret!);
        return undefined;
      case 'mem':
        return this.host.process.memory
          .read(Number(line.addr), line.hex!.length / 2)
          ?.reduce((hex, byte) => hex + byte.toString(16).padStart(2, '0'), '') === line.hex
          ? 0
          : -1;
      default:
        return undefined;
    }
  }

  #ioctl(line: Line, number: number): number {
    const { process } = this.host;
    const command = COMMANDS[line.cmd!] ?? Number(line.cmd);
    const file = process.fds.get(number)!;
    if (line.badptr) return file.ioctl!(command, undefined, process);
    if (line.in === undefined) return file.ioctl!(command, line.arg ?? 0, process);
    this.argument.fill(0);
    const big = this.meta.endian === 'big';
    const input = Buffer.from(line.in, 'hex');
    this.argument.set(big ? swapped(line.cmd!, input) : input);
    const bytes = line.bitmap === undefined ? undefined : process.memory.find(BITMAP)!.bytes!;
    if (bytes) {
      bytes.fill(0);
      const data = line.bm_bad ? 0x300_0000_0000 : BITMAP;
      new DataView(this.argument.buffer).setBigUint64(40, BigInt(data), true);
    }
    const ret = file.ioctl!(command, this.argument, process);
    if (line.out !== undefined) {
      const out = Buffer.from(line.out, 'hex');
      const length = out.length;
      const expected = big ? swapped(line.cmd!, out) : out;
      const found = Buffer.from(this.argument.subarray(0, length));
      if (Buffer.compare(found, Buffer.from(expected)) !== 0)
        this.differences.push(
          `${line.seq} ${line.cmd}: out ${found.toString('hex')} instead of ${Buffer.from(expected).toString('hex')}`,
        );
    }
    if (bytes) {
      const words = big ? Buffer.from(bytes).swap64() : Buffer.from(bytes);
      const hex = words.toString('hex').replace(/(00)*$/, '');
      const recorded = line.bitmap!.replace(/(00)*$/, '');
      if (hex !== recorded)
        this.differences.push(`${line.seq} ${line.cmd}: bitmap ${hex} instead of ${recorded}`);
    }
    return ret;
  }

  #fd(obj: string): number {
    const { fds } = this.meta;
    const base = { c: fds.container!, g: fds.group!, d: fds.device! }[obj[0]!] ?? 0;
    return base + Number(obj.slice(1));
  }
}

function attempt(action: () => number): number {
  try {
    return action();
  } catch (error) {
    if (error instanceof VfioError) return error.errno;
    throw error;
  }
}

/** Whether an operation's result is the business of containers and groups. */
function mine({ op, obj }: Line): boolean {
  return (
    ['bind', 'open', 'close', 'get_device_fd', 'mem'].includes(op) ||
    (op === 'ioctl' && !obj!.startsWith('d'))
  );
}

const text = (ret: number) => (ret < 0 ? `-${errnoName(ret)}` : `${ret}`);

/** By name; one that is in both folders is read once. */
const traces = new Map(
  FOLDERS.filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.jsonl.gz'))
      .sort()
      .map((name) => [name, join(folder, name)] as const),
  ),
);

describe('containers and groups of the recorded kernels', () => {
  test.each([...traces])('%s: every answer is the kernel’s', (_name, path) => {
    const [meta, ...lines] = gunzipSync(readFileSync(path))
      .toString()
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as Line);
    const replayer = new Replayer(meta as unknown as Meta);
    replayer.prepare(lines);
    for (const line of lines) replayer.run(line);
    expect(replayer.differences).toEqual([]);
    expect(replayer.compared).toBe(lines.filter(mine).length);
  });
});
