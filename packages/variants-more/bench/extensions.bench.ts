import 'reflect-metadata';
import {
  type ConfigRegister,
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  DMABUF_PROVIDER,
  openFunction,
  PLATFORM_HOOKS,
  type Region,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock, type PciDevice, PciTopology } from '@vfiokit/pci';
import {
  FakeHisiQm,
  FakePdsCore,
  FakeQatPf,
  FakeXePf,
  hisiAccDriver,
  pdsDriver,
  QAT_VFIO_PCI,
  XE_VFIO_PCI,
} from '@vfiokit/variants-more';
import { barPage, barRead, barWrite, configRead, configWrite, type Run, ratio } from './ratio.js';

const REGISTER = 0xfc;
const BAR_SIZE = 64 * 1024;

/** A VF that the drivers of all vendors take for their own. */
function vf(address: string): PciDevice {
  const config = new Uint8Array(4096);
  config.set([0x34, 0x12, 0x01, 0x00, 0x02, 0, 0x10, 0, 1, 0, 0, 0x12]);
  config[0x34] = 0x40;
  config.set([0x10, 0, 2, 0], 0x40);
  const bar = () => ({ size: BAR_SIZE, kind: 'memory', block: new MemoryBlock(BAR_SIZE) }) as const;
  const topology = new PciTopology();
  const physfn = topology.add('0000:0f:00.0', { config });
  const ids = { vendor: 0x1234, device: 0x0001 };
  const bars = [bar(), undefined, bar(), undefined, bar()];
  return topology.add(address, { config, bars }, { physfn, ids });
}

/** A register of its own, which is kept beside the hardware. */
const register: ConfigRegister = {
  name: 'own',
  offset: REGISTER,
  length: 4,
  read: (offset, size, next) => next.read(offset, size) | 1,
  write: () => 0,
};

/** A layer in front of a BAR that changes nothing. */
const through = (next: Region): Region => ({
  info: () => next.info(),
  read: (offset, size) => next.read(offset, size),
  write: (offset, size, value) => next.write(offset, size, value),
  pread: (into, offset) => next.pread(into, offset),
  pwrite: (from, offset) => next.pwrite(from, offset),
});

/** Every kind of extension at once: what four drivers bring, and the kinds that they have none of. */
function everything(): VfioPciDriver {
  const noWait = () => {};
  const drivers: readonly (readonly [native: object, driver: VfioPciDriver])[] = [
    [new FakeHisiQm(), hisiAccDriver(noWait)],
    [new FakeQatPf(), QAT_VFIO_PCI],
    [new FakePdsCore(), pdsDriver(noWait)],
    [new FakeXePf(), XE_VFIO_PCI],
  ];
  const memory = new MemoryBlock(4096);
  const region = { read: memory.read.bind(memory), write: () => 0 };
  return {
    name: 'everything',
    ids: [],
    probe(pdev, container) {
      for (const [native, driver] of drivers) {
        pdev.physfn!.driverData = native;
        driver.probe?.(pdev, container);
      }
      container.register(DEVICE_REGIONS, {
        useValue: {
          regions: () => [{ type: 0x80001234, subtype: 1, size: 4096, flags: 1, ops: region }],
        },
      });
      container.register(DEVICE_OVERRIDES, {
        useValue: {
          configRegisters: () => [register],
          region: (index: number, next: Region) => (index === 0 ? through(next) : next),
        },
      });
      container.register(DMABUF_PROVIDER, { useValue: { physicalRanges: () => [] } });
    },
  };
}

/** What extensions cost: a device with all of them against the same function under plain vfio-pci. */
export function bench(report: (line: string) => void): void {
  const plain = openFunction(vf('0000:0f:00.1'));
  const derived = openFunction(vf('0000:0f:00.2'), {
    driver: everything(),
    register: (host) => host.register(PLATFORM_HOOKS, { useValue: { open: () => 0 } }),
  });
  const rows = (limit: string, list: readonly (readonly [what: string, run: Run])[]) => {
    for (const [what, run] of list)
      report(`${what.padEnd(44)} ${ratio(plain, derived, run).toFixed(2)}x of plain   [${limit}]`);
  };
  rows('1x within noise', [
    ['config read, no extension', configRead(0x44)],
    ['config write, no extension', configWrite(0x44)],
    ['BAR read, 4 bytes, no extension', barRead(4)],
    ['BAR write, 4 bytes, no extension', barWrite(4)],
    ['BAR read, 4 KiB, no extension', barPage(4)],
  ]);
  rows('at most 3x', [
    ['config read, a register of the driver', configRead(REGISTER)],
    ['config write, a register of the driver', configWrite(REGISTER)],
    ['BAR read, 4 bytes, a layer in front', barRead(0)],
    ['BAR write, 4 bytes, a layer in front', barWrite(0)],
    ['BAR read, 4 bytes, half of it hidden', barRead(2)],
    ['BAR write, 4 bytes, half of it hidden', barWrite(2)],
    ['BAR read, 4 KiB, half of it hidden', barPage(2)],
  ]);
  for (const opened of [plain, derived]) opened[Symbol.dispose]();
}
