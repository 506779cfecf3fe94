import 'reflect-metadata';
import { type OpenedFunction, openFunction, type VfioPciDriver } from '@vfiokit/core';
import { VirtualClock } from '@vfiokit/driver-model';
import { IGD_KERNEL_QUIRKS, Igd } from '@vfiokit/igd';
import { ByteMemory, FakeFirmware, FakeVhca, MLX5_VFIO_PCI, Mlx5Core } from '@vfiokit/mlx';
import { type NvgracePlatform, nvgraceGpuDriver } from '@vfiokit/nvgrace-gpu';
import { MemoryBlock, type PciDevice, PciTopology } from '@vfiokit/pci';
import {
  FakeHisiQm,
  FakePdsCore,
  FakeQatPf,
  hisiAccDriver,
  pdsDriver,
  QAT_VFIO_PCI,
} from '@vfiokit/variants-more';
import { FakeVirtioPf, virtioDriver } from '@vfiokit/virtio';
import { registerZpci, ZpciFunction } from '@vfiokit/zpci';

const CONFIG = 7;
const ASLS = 0xfc;
const CALLS = 200_000;
const ROUNDS = 25;
const BAR_SIZE = 64 * 1024;

/** A VF that the drivers of all vendors take for their own: graphics of one, with the device id of another. */
function function_(address: string): PciDevice {
  const config = new Uint8Array(4096);
  config.set([0x86, 0x80, 0x41, 0x10, 0x02, 0, 0x10, 0, 1, 0, 0, 0x03]);
  config.set([0, 0, 0, 0x6f], ASLS);
  config[0x34] = 0x40;
  config.set([0x10, 0, 2, 0], 0x40);
  const bar = () => ({ size: BAR_SIZE, kind: 'memory', block: new MemoryBlock(BAR_SIZE) }) as const;
  const topology = new PciTopology();
  const physfn = topology.add('0000:0f:00.0', { config });
  const ids = { vendor: 0x8086, device: 0x1041 };
  const bars = [undefined, undefined, bar(), undefined, bar()];
  return topology.add(address, { config, bars }, { physfn, ids });
}

/** Regions, overrides of regions, registers and calls, migration, dirty log, hooks: what six drivers bring, at once. */
function everything(): VfioPciDriver {
  const firmware = new FakeFirmware();
  firmware.addFunction(1, new FakeVhca({ memory: new ByteMemory(new Uint8Array(4096)) }));
  const noWait = () => {};
  const drivers: readonly (readonly [native: object, driver: VfioPciDriver])[] = [
    [new FakeHisiQm(), hisiAccDriver(noWait)],
    [new FakeQatPf(), QAT_VFIO_PCI],
    [new FakePdsCore(), pdsDriver(noWait)],
    [new Mlx5Core({ commands: firmware }), MLX5_VFIO_PCI],
    [new FakeVirtioPf({ notify: { bar: 4, offset: 0 } }), virtioDriver(new VirtualClock())],
  ];
  const opregion = new Uint8Array(0x2000);
  opregion.set(new TextEncoder().encode('IntelGraphicsMem'));
  opregion[0x10] = 8;
  const platform = { map: () => opregion, getDevice: () => undefined };
  return {
    name: 'everything',
    ids: [],
    probe(pdev, container) {
      for (const [native, driver] of drivers) {
        pdev.physfn!.driverData = native;
        driver.probe?.(pdev, container);
      }
      new Igd(platform, IGD_KERNEL_QUIRKS).probe(pdev, container);
    },
  };
}

const ZPCI = new ZpciFunction(
  {
    ...{ fid: 1, uid: 1, fh: 0x80000001, pchid: 1, vfn: 0, gid: 1, pft: 5, fmbLength: 0 },
    ...{ startDma: 0n, endDma: 2n ** 40n, pfip: new Uint8Array(4) },
  },
  { dasm: 0n, msiAddr: 0n, mui: 0, noi: 1, maxstbl: 128, version: 1, refresh: true },
);

const GRACE: NvgracePlatform = {
  property: (_, name) => (name === 'nvidia,gpu-mem-size' ? 2n << 30n : 1n << 46n),
  memory: (_, length) => new MemoryBlock(length),
  sleep: () => true,
  now: () => 0,
};

function gpu(address: string): PciDevice {
  const ready = { size: 2 ** 24, kind: 'memory', block: { read: () => 0xff, write() {} } } as const;
  const memory = { size: 2 ** 28, kind: 'memory', block: new MemoryBlock(2 ** 28) } as const;
  const config = Uint8Array.of(0xde, 0x10, 0x42, 0x23, 0x02);
  const bars = [ready, undefined, undefined, undefined, memory];
  return new PciTopology().add(address, { config, bars });
}

type Run = (device: OpenedFunction['device'], calls: number) => void;

const configRead =
  (offset: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) sink.value ^= device.read(CONFIG, offset, 4);
  };
const configWrite =
  (offset: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) device.write(CONFIG, offset, 4, i);
  };
const barRead =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) sink.value ^= device.read(bar, (i & 0xff) << 2, 4);
  };
const barWrite =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) device.write(bar, (i & 0xff) << 2, 4, i);
  };
const page = new Uint8Array(4096);
const barPage =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 256) device.pread(page, bar * 2 ** 40);
  };

const sink = { value: 0 };

/** Two devices in turn, so that what else the machine does hits both; the median of the rounds' ratios. */
function ratio(plain: OpenedFunction, derived: OpenedFunction, run: Run): number {
  const time = ({ device }: OpenedFunction) => {
    const start = performance.now();
    run(device, CALLS);
    return performance.now() - start;
  };
  const ratios = Array.from({ length: ROUNDS }, (_, round) => {
    // Who goes first changes, as the first one may find caches cold.
    if (round % 2 === 0) {
      const floor = time(plain);
      return time(derived) / floor;
    }
    const spent = time(derived);
    return spent / time(plain);
  });
  const counted = ratios.slice(5).sort((a, b) => a - b);
  return counted[counted.length >> 1]!;
}

/** What extensions cost: accesses of a device with all of them against the same function under plain vfio-pci. */
export function bench(report: (line: string) => void): void {
  const plain = openFunction(function_('0000:0f:00.1'));
  const derived = openFunction(function_('0000:0f:00.2'), {
    driver: everything(),
    register: (host) => registerZpci(host, { functions: () => ZPCI }),
  });
  const plainGpu = openFunction(gpu('0001:00:00.0'));
  const graceGpu = openFunction(gpu('0002:00:00.0'), { driver: nvgraceGpuDriver(GRACE) });
  const rows: readonly (readonly [what: string, run: Run, grace?: true])[] = [
    ['config read, an untouched dword', configRead(0x44)],
    ['config write, an untouched dword', configWrite(0x44)],
    ['BAR read, 4 bytes, untouched', barRead(4)],
    ['BAR write, 4 bytes, untouched', barWrite(4)],
    ['BAR read, 4 KiB, untouched', barPage(4)],
    ['BAR read of a GPU, 4 bytes, untouched', barRead(0), true],
  ];
  const touched: typeof rows = [
    ['config read, a register of a driver (ASLS)', configRead(ASLS)],
    ['config write, a register of a driver (ASLS)', configWrite(ASLS)],
    ['BAR read, 4 bytes, half of it hidden', barRead(2)],
    ['BAR write, 4 bytes, half of it hidden', barWrite(2)],
    ['BAR read, 4 KiB, half of it hidden', barPage(2)],
    ['config read under an overlay, elsewhere', configRead(0x44), true],
    ['config read under an overlay, its registers', configRead(0x20), true],
    ['BAR read, 4 bytes, a BAR that hardware lacks', barRead(4), true],
  ];
  for (const [title, list] of [
    ['within noise of 1x', rows],
    ['at most 3x', touched],
  ] as const) {
    report(`${title}:`);
    for (const [what, run, grace] of list) {
      const [floor, over] = grace === true ? [plainGpu, graceGpu] : [plain, derived];
      report(`  ${what.padEnd(46)} ${ratio(floor, over, run).toFixed(2)}x`);
    }
  }
  for (const opened of [plain, derived, plainGpu, graceGpu]) opened[Symbol.dispose]();
}
