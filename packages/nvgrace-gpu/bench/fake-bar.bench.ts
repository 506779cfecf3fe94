import { type OpenedFunction, openFunction } from '@vfiokit/core';
import { type NvgracePlatform, nvgraceGpuDriver } from '@vfiokit/nvgrace-gpu';
import { MemoryBlock, type PciDevice, PciTopology } from '@vfiokit/pci';

const MIB = 2 ** 20;
const CALLS = 200_000;
const ROUNDS = 21;
const CONFIG = 7;
/** The BAR that is fake under the driver and the hardware's under vfio-pci. */
const BAR = 4;

/** All memory may be cached, so that BAR 4 has it all; the GPU is ready at once. */
const platform: NvgracePlatform = {
  property: (_, name) => BigInt(name === 'nvidia,gpu-mem-size' ? 3 * 512 * MIB : 2 ** 46),
  memory: () => new MemoryBlock(MIB),
  sleep: () => true,
  now: () => 0,
};

function gpu(address: string): PciDevice {
  const config = new Uint8Array(256);
  config.set([0xde, 0x10, 0x42, 0x23, 0x02]);
  const ready = { read: () => 0xff, write() {} };
  const bar = { size: MIB, kind: 'memory', is64Bit: true } as const;
  const bars = [
    { ...bar, block: ready },
    undefined,
    undefined,
    undefined,
    { ...bar, block: new MemoryBlock(MIB) },
  ];
  return new PciTopology().add(address, { config, bars });
}

type Run = (device: OpenedFunction['device'], calls: number) => void;

/** What reads amount to, so that no engine leaves them out. */
const sink = new Uint32Array(8);
const page = new Uint8Array(4096);

const read =
  (region: number, offset: number, step: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1)
      sink[i & 7]! ^= device.read(region, offset + (i & 0xff) * step, 4);
  };
const write =
  (region: number, offset: number, step: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) device.write(region, offset + (i & 0xff) * step, 4, i);
  };
const readPage: Run = (device, calls) => {
  for (let i = 0; i < calls; i += 1) device.pread(page, BAR * 2 ** 40);
};
const writePage: Run = (device, calls) => {
  for (let i = 0; i < calls; i += 1) device.pwrite(page, BAR * 2 ** 40);
};

/** Both in turn, so that what else the machine does hits both; the median of the rounds' ratios, and nanoseconds of the fake one. */
function compare(hardware: OpenedFunction, fake: OpenedFunction, run: Run, calls: number) {
  const time = ({ device }: OpenedFunction) => {
    const start = performance.now();
    run(device, calls);
    return performance.now() - start;
  };
  const rounds = Array.from({ length: ROUNDS }, () => {
    const floor = time(hardware);
    const spent = time(fake);
    return { ratio: spent / floor, spent };
  });
  const sorted = rounds.slice(5).sort((a, b) => a.ratio - b.ratio);
  const { ratio, spent } = sorted[sorted.length >> 1]!;
  return { ratio, nanoseconds: (spent * 1e6) / calls };
}

/** What memory of the machine costs as a BAR, against a BAR that the hardware has; and the registers that are laid over. */
export function bench(report: (line: string) => void): void {
  const hardware = openFunction(gpu('0009:01:00.0'));
  const fake = openFunction(gpu('0009:01:00.1'), { driver: nvgraceGpuDriver(platform) });
  const rows: readonly (readonly [what: string, run: Run, calls?: number])[] = [
    ['BAR read, 4 bytes', read(BAR, 0, 4)],
    ['BAR write, 4 bytes', write(BAR, 0, 4)],
    ['BAR read, 4 KiB', readPage, CALLS / 256],
    ['BAR write, 4 KiB', writePage, CALLS / 256],
    ['config read, a register of the BAR', read(CONFIG, 0x20, 0)],
    ['config write, a register of the BAR', write(CONFIG, 0x20, 0)],
    ['config read, elsewhere', read(CONFIG, 0x40, 0)],
  ];
  for (const [what, run, calls = CALLS] of rows) {
    const { ratio, nanoseconds } = compare(hardware, fake, run, Math.floor(calls));
    report(
      `${what.padEnd(38)} ${ratio.toFixed(2)}x of the hardware's (${nanoseconds.toFixed(0)} ns)`,
    );
  }
  for (const opened of [hardware, fake]) opened[Symbol.dispose]();
}
