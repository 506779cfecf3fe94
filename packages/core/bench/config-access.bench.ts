import 'reflect-metadata';
import { openFunction } from '@vfiokit/core';
import type { VfioDevice } from '@vfiokit/uapi';
import { describeAdapter, plug } from './functions.js';
import { nanoseconds, ns, ratio, usedBytes } from './measure.js';

const CONFIG = 7;
const CALLS = 2_000_000;

/** The least that a mixed dword costs: masked loads and a masked store on arrays. */
class Floor {
  readonly hardware = new Uint32Array(1024);
  readonly copy = new Uint32Array(1024);
  readonly virt = new Uint32Array(1024).fill(0x0000ffff);
  readonly writable = new Uint32Array(1024).fill(0x00ff00ff);

  read(offset: number): number {
    const at = offset >>> 2;
    const virt = this.virt[at]!;
    return ((this.hardware[at]! & ~virt) | (this.copy[at]! & virt)) >>> 0;
  }

  write(offset: number, value: number): void {
    const at = offset >>> 2;
    const writable = this.writable[at]!;
    this.copy[at] = (this.copy[at]! & ~writable) | (value & writable);
  }
}

/** Dwords that a driver reads all the time, of each kind: header, virtual, hardware, mixed, raw. */
const READS = [0x00, 0x04, 0x08, 0x2c, 0x44, 0x54, 0x74, 0xb0, 0x104, 0x208];
/** Dwords whose writes are kept, passed on or dropped. */
const WRITES = [0x00, 0x0c, 0x2c, 0x54, 0x58, 0x7c, 0xb4, 0xe0, 0x104, 0x800];

/** A 4-byte access of configuration space against the masked-dword floor. */
export function bench(report: (line: string) => void): void {
  const floor = new Floor();
  let sum = 0;
  const floorRead = nanoseconds(CALLS, (calls) => {
    for (let i = 0; i < calls; i += 1) sum ^= floor.read(READS[i % 10]!);
  });
  const floorWrite = nanoseconds(CALLS, (calls) => {
    for (let i = 0; i < calls; i += 1) floor.write(WRITES[i % 10]!, i);
  });
  const opened = openFunction(plug(describeAdapter()));
  const { device } = opened;
  const read = readTime(device, (value) => {
    sum ^= value;
  });
  const write = writeTime(device);
  report(
    `config read, 4 bytes   ${ratio(read, floorRead)} of the floor   [${ns(read)} / ${ns(floorRead)}; at most 5x]`,
  );
  report(
    `config write, 4 bytes  ${ratio(write, floorWrite)} of the floor   [${ns(write)} / ${ns(floorWrite)}; at most 5x]`,
  );

  const many = openFunction(plug(describeAdapter(50)));
  const others = Array.from({ length: 200 }, () => openFunction(plug(describeAdapter())));
  const alone = readTime(device, () => {});
  const crowded = readTime(many.device, () => {});
  report(
    `… with 50 extended capabilities and 200 other open devices  ${ratio(crowded, alone)} of that`,
  );
  for (const other of [many, ...others]) other[Symbol.dispose]();

  const before = usedBytes();
  for (let i = 0; i < 10_000_000; i += 1) {
    sum ^= device.read(CONFIG, READS[i % 10]!, 4);
    device.write(CONFIG, WRITES[i % 10]!, 4, i);
  }
  const grown = usedBytes() - before;
  report(
    `heap growth over ten million reads and writes  ${(grown / 1024).toFixed(0)} KiB   [checksum ${sum & 1}]`,
  );
  opened[Symbol.dispose]();
}

function readTime(device: VfioDevice, use: (value: number) => void): number {
  return nanoseconds(CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i += 1) sum ^= device.read(CONFIG, READS[i % 10]!, 4);
    use(sum);
  });
}

function writeTime(device: VfioDevice): number {
  return nanoseconds(CALLS, (calls) => {
    for (let i = 0; i < calls; i += 1) device.write(CONFIG, WRITES[i % 10]!, 4, i);
  });
}
