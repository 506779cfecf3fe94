// A derived driver that adds a region to a served device and puts a register of its own over one of the device's.
import {
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  type DeviceOverride,
  type DeviceRegionProvider,
  openFunction,
  type Region,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import { MemoryTransport, VfioUserServer } from '@vfiokit/vfio-user';

const NOTE = new TextEncoder().encode('a region that the hardware does not have\n');
const VENDOR_REGION = 0x80001234;
const COUNTER = 0x10;

/** A read-only region with a text in it, behind the nine that every PCI device has. */
const note: DeviceRegionProvider = {
  regions: () => [
    {
      type: VENDOR_REGION,
      subtype: 1,
      size: NOTE.length,
      flags: 1,
      ops: { read: (offset) => NOTE[offset] ?? 0, write: () => -1, transfer },
    },
  ],
};

function transfer(bytes: Uint8Array, position: number, isWrite: boolean): number {
  const part = NOTE.subarray(position % 2 ** 40);
  if (isWrite || part.length === 0) return -22;
  bytes.set(part.subarray(0, bytes.length));
  return Math.min(bytes.length, part.length);
}

/** BAR0 with one register replaced: it counts how often it is read. Everything else is the layer below. */
class Counted implements Region {
  #reads = 0;
  readonly info = () => this.next.info();
  readonly write = (offset: number, size: number, value: number) =>
    this.next.write(offset, size, value);
  readonly pread: Region['pread'] = (into, offset) => this.next.pread(into, offset);
  readonly pwrite: Region['pwrite'] = (from, offset) => this.next.pwrite(from, offset);

  constructor(private readonly next: Region) {}

  read(offset: number, size: number): number {
    if (offset !== COUNTER || size !== 4) return this.next.read(offset, size);
    this.#reads += 1;
    return this.#reads;
  }
}

const counter: DeviceOverride = {
  region: (index, next) => (index === 0 ? new Counted(next) : next),
};

const driver: VfioPciDriver = {
  name: 'counted-vfio-pci',
  ids: [{ vendor: 0x1234, device: 0x0c0a }],
  probe(_pdev, container) {
    container.register(DEVICE_REGIONS, { useValue: note });
    container.register(DEVICE_OVERRIDES, { useValue: counter });
  },
};

/** Serves it; `serve(new MemoryTransport(), …)` is for programs, `await openTransport()` for QEMU. */
export async function main(print: (line: string) => void): Promise<void> {
  const pdev = new PciTopology().add('0000:00:03.0', {
    config: Uint8Array.of(0x34, 0x12, 0x0a, 0x0c),
    configSize: 256,
    bars: [{ kind: 'memory', size: 4096, block: new MemoryBlock(4096) }],
  });
  const { device, process } = openFunction(pdev, { driver });
  const transport = new MemoryTransport();
  using _server = await VfioUserServer.listen({ device, process, transport, path: 'counted' });
  device.write(7, 4, 2, 0x2);
  print(`register: ${device.read(0, COUNTER, 4)}, again: ${device.read(0, COUNTER, 4)}`);
  const text = new Uint8Array(NOTE.length);
  device.pread(text, 9 * 2 ** 40);
  print(new TextDecoder().decode(text).trim());
}
