import { PciTopology } from '@vfiokit/pci';
import { describeDriver, describeOpenHook, describeOverride, StubOpening } from '@vfiokit/testing';
import { type DeviceMapping, EventFd, VFIO_DEVICE_FEATURE_DMA_BUF } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { NvgraceMemoryDevice, nvgraceGpuDriver, splitMemory } from '../src/index.js';
import { CACHED_RESMEM, cxlDevice, GIB, Grace, MEMORY_AT, MEMORY_SIZE, MIB } from './grace.js';

const EIO = 5;
const ENOMEM = 12;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const CONFIG = 7;
const USEMEM = 95 * GIB - 512 * MIB - GIB + 512 * MIB;
const COMMAND_MEMORY = 2;

function memoryDevice(machine: Grace): NvgraceMemoryDevice {
  const split = splitMemory('gpu', MEMORY_AT, MEMORY_SIZE, true);
  return new NvgraceMemoryDevice(machine.gpu, machine, split);
}

describeDriver('nvgrace-gpu', () => {
  const machine = new Grace();
  return { driver: nvgraceGpuDriver(machine), pdev: machine.gpu };
});

describeOverride('nvgrace-gpu', () => {
  const machine = new Grace();
  return {
    override: memoryDevice(machine),
    device: new StubOpening(machine.gpu),
    regions: [2, 4, CONFIG],
  };
});

describeOpenHook('nvgrace-gpu', () => {
  const machine = new Grace();
  // A function without BAR 0 can't say whether it is ready.
  const blind = new PciTopology().add('0009:01:00.1', { config: new Uint8Array(64) });
  return {
    hook: memoryDevice(machine),
    device: new StubOpening(machine.gpu),
    refused: new StubOpening(blind),
    state: () => machine.watched,
  };
});

/** Opens a GPU as a user that then enables its memory and so is past the first readiness check. */
function opened(machine = new Grace()) {
  const gpu = machine.open();
  gpu.client.writeConfig(4, 2, COMMAND_MEMORY);
  return gpu;
}

const mmap = (gpu: ReturnType<typeof opened>, region: number, offset: number, length: number) =>
  gpu.device.mmap({ position: region * 2 ** 40 + offset, length, shared: true });

describe('a GPU with memory that firmware names', () => {
  it('[derived:149 derived:151] shows two BARs with a power of two each and one area that can be mapped', () => {
    using gpu = opened();
    const [resmem, usemem] = [gpu.client.regionInfo(2), gpu.client.regionInfo(4)];
    expect(usemem.size).toBe(128 * GIB);
    expect(usemem.sparseMmap).toEqual([{ offset: 0n, size: BigInt(USEMEM) }]);
    expect(resmem.size).toBe(2 * GIB);
    expect(resmem.sparseMmap).toEqual([{ offset: 0n, size: BigInt(MEMORY_SIZE - USEMEM) }]);
    expect([resmem.flags, usemem.flags]).toEqual([0xf, 0xf]);
  });

  it('[derived:150] shows the BAR 2 of the hardware where all memory may be cached', () => {
    using gpu = opened(new Grace({ extended: [CACHED_RESMEM] }));
    expect(gpu.client.regionInfo(2).size).toBe(64 * 1024);
    expect(gpu.client.regionInfo(4).sparseMmap).toEqual([
      { offset: 0n, size: BigInt(MEMORY_SIZE) },
    ]);
  });

  it('[derived:152] is sized like a real BAR', () => {
    using gpu = opened();
    gpu.client.writeConfig(0x20, 4, 0xffffffff);
    gpu.client.writeConfig(0x24, 4, 0xffffffff);
    expect(gpu.client.readConfig(0x20, 4)).toBe(0xc);
    expect(gpu.client.readConfig(0x24, 4)).toBe(0xffffffe0);
  });

  it('is read and written', () => {
    using gpu = opened();
    expect(gpu.client.writeRegion(4, 0x1001, Uint8Array.of(1, 2, 3, 4, 5))).toBe(5);
    expect(gpu.device.read(4, 0x1002, 2)).toBe(0x0302);
    expect(gpu.device.write(2, 8, 4, 0xdeadbeef)).toBe(4);
    expect(gpu.device.read(2, 8, 4)).toBe(0xdeadbeef);
    expect(gpu.device.read(2, 3, 2)).toBe(-EINVAL);
  });

  it('[derived:154] reads as ones behind its memory, where writes vanish and are counted', () => {
    using gpu = opened();
    expect([...gpu.client.readRegion(4, USEMEM - 2, 4)]).toEqual([0, 0, 0xff, 0xff]);
    expect(gpu.client.writeRegion(4, USEMEM - 1, Uint8Array.of(7, 7, 7))).toBe(3);
    expect(gpu.device.read(4, USEMEM, 4)).toBe(0xffffffff);
    expect(gpu.device.write(4, USEMEM, 4, 1)).toBe(4);
    expect([...gpu.client.readRegion(4, USEMEM - 1, 2)]).toEqual([7, 0xff]);
  });

  it('[derived:155] ends at its BAR', () => {
    using gpu = opened();
    const at = 4 * 2 ** 40 + 128 * GIB;
    expect(gpu.device.pread(new Uint8Array(1), at)).toBe(-EINVAL);
    expect(gpu.device.pwrite(new Uint8Array(1), at)).toBe(-EINVAL);
    expect(gpu.device.pread(new Uint8Array(1), at + 2 ** 36)).toBe(-EINVAL);
    expect(gpu.device.read(4, 128 * GIB, 4)).toBe(-EINVAL);
    expect(gpu.device.pread(new Uint8Array(8), at - 3)).toBe(3);
  });

  it('[derived:156] is mapped as far as there is memory', () => {
    using gpu = opened();
    expect(mmap(gpu, 4, USEMEM - 4096, 8192)).toBe(-EINVAL);
    const mapping = mmap(gpu, 4, 4096, 4096) as DeviceMapping;
    mapping.store(0, 4, 0x11223344);
    expect(gpu.device.read(4, 4096, 4)).toBe(0x11223344);
    expect(mmap(gpu, CONFIG, 0, 4096)).toBe(-EINVAL);
  });

  it('[derived:157] has no ioeventfds', () => {
    using gpu = opened();
    const eventfd = new EventFd();
    expect(() =>
      gpu.client.ioeventfd({ region: 0, offset: 0, size: 4, data: 0n, eventfd }),
    ).toThrow(expect.objectContaining({ code: 'ENOTTY' }));
  });

  it('[derived:158] forgets its addresses when it is reset', () => {
    using gpu = opened();
    for (const [at, shown] of [
      [0x1c, 0x1234],
      [0x24, 0x1220],
    ] as const) {
      gpu.client.writeConfig(at, 4, 0x1234);
      expect(gpu.client.readConfig(at, 4)).toBe(shown);
    }
    gpu.client.reset();
    expect([gpu.client.readConfig(0x1c, 4), gpu.client.readConfig(0x24, 4)]).toEqual([0, 0]);
  });

  it('forgets them when a reset is asked for that fails, and keeps them over one that nobody asked for', () => {
    const machine = new Grace();
    using gpu = opened(machine);
    gpu.client.writeConfig(0x24, 4, 0x1220);
    machine.gpu.tryResetFunction();
    expect(gpu.client.readConfig(0x24, 4)).toBe(0x1220);
    machine.gpu.tryResetFunction = () => -EIO;
    expect(() => gpu.client.reset()).toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(gpu.client.readConfig(0x24, 4)).toBe(0);
  });

  it('forgets them when it opens', () => {
    const machine = new Grace();
    const first = opened(machine);
    first.client.writeConfig(0x24, 4, 0xffffffff);
    first[Symbol.dispose]();
    using second = opened(machine);
    expect(second.client.readConfig(0x24, 4)).toBe(0);
  });

  it('[derived:159] waits at the first access after a reset, and fails if the GPU does not get ready', () => {
    const machine = new Grace();
    using gpu = opened(machine);
    expect(gpu.device.read(4, 0, 4)).toBe(0);
    gpu.client.reset();
    gpu.client.writeConfig(4, 2, COMMAND_MEMORY);
    machine.readyAt = machine.time + 3000;
    const start = machine.time;
    expect(gpu.device.read(4, 0, 4)).toBe(0);
    expect(machine.time - start).toBe(3000);
    gpu.client.reset();
    gpu.client.writeConfig(4, 2, COMMAND_MEMORY);
    machine.readyAt = Infinity;
    expect(gpu.device.pread(new Uint8Array(4), 4 * 2 ** 40)).toBe(-62);
  });

  it('does not ask when a write lies behind the memory', () => {
    const machine = new Grace();
    using gpu = opened(machine);
    machine.readyAt = Infinity;
    expect(gpu.device.write(4, USEMEM, 4, 1)).toBe(4);
    expect(machine.time).toBe(0);
  });

  it('is -EIO at the first access after a reset while memory is disabled, and later does not care', () => {
    using gpu = new Grace().open();
    gpu.client.writeConfig(4, 2, 0);
    expect(gpu.device.read(4, 0, 4)).toBe(-EIO);
    gpu.client.writeConfig(4, 2, COMMAND_MEMORY);
    expect(gpu.device.read(4, 0, 4)).toBe(0);
    gpu.client.writeConfig(4, 2, 0);
    expect(gpu.device.read(4, 0, 4)).toBe(0);
  });

  it('has a mapping fault until the GPU is ready', () => {
    const machine = new Grace();
    using gpu = opened(machine);
    const mapping = mmap(gpu, 4, 0, 4096) as DeviceMapping;
    machine.readyAt = Infinity;
    expect(mapping.load(0, 4)).toBe('SIGBUS');
    machine.readyAt = 0;
    expect(mapping.load(0, 4)).toBe(0);
  });

  it('is -ENOMEM where its memory can not be mapped', () => {
    const machine = new Grace();
    machine.mappable = false;
    using gpu = opened(machine);
    expect(gpu.device.read(4, 0, 4)).toBe(-ENOMEM);
    expect(mmap(gpu, 4, 0, 4096)).toBe(-ENOMEM);
  });

  it('[derived:49] lends its memory as a dma-buf, as long as there is a BAR of that number', () => {
    using gpu = opened();
    expect(gpu.client.probeFeature(VFIO_DEVICE_FEATURE_DMA_BUF, 0x10000)).toBe(true);
    const lent = gpu.client.exportDmaBuf(2, [{ offset: 4096n, length: 8192n }]);
    expect(lent.map()).toEqual([{ iova: MEMORY_AT + BigInt(USEMEM) + 4096n, length: 8192n }]);
    expect(() => gpu.client.exportDmaBuf(4, [{ offset: 0n, length: 4096n }])).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(() =>
      gpu.client.exportDmaBuf(2, [{ offset: BigInt(2 * GIB - 4096), length: 4096n }]),
    ).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('asks to be told of memory failures, and takes no support for an answer', () => {
    const machine = new Grace();
    machine.watchError = -EOPNOTSUPP;
    machine.open()[Symbol.dispose]();
    const [usemem, resmem] = [MEMORY_AT.toString(16), (MEMORY_AT + BigInt(USEMEM)).toString(16)];
    expect(machine.log.map((line) => line.split('+')[0])).toEqual([
      `watch ${resmem}`,
      `watch ${usemem}`,
      `unwatch ${usemem}`,
      `unwatch ${resmem}`,
    ]);
    machine.watchError = -ENOMEM;
    expect(() => machine.open()).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
  });
});

describe('binding', () => {
  it.each([undefined, 0n, 2n ** 60n])(
    '[derived:148] shows the BARs of the hardware without properties that make sense: size %s',
    (size) => {
      const machine = new Grace();
      machine.size = size;
      using gpu = opened(machine);
      expect(gpu.client.regionInfo(2).size).toBe(64 * 1024);
      expect(gpu.client.regionInfo(4).size).toBe(0);
      expect(machine.log).toEqual(['watch 0+0']);
      gpu[Symbol.dispose]();
      expect(machine.log).toEqual(['watch 0+0']);
    },
  );

  it('names its flavour', () => {
    const names = [undefined, BigInt(MEMORY_SIZE)].map((size) => {
      const machine = new Grace();
      machine.size = size;
      using gpu = machine.open();
      return (gpu.device as unknown as { core: { opsName: string } }).core.opsName;
    });
    expect(names).toEqual(['nvgrace-gpu-vfio-pci-core', 'nvgrace-gpu-vfio-pci']);
  });

  it('waits for the GPU, and refuses one that does not get ready', () => {
    const slow = new Grace({ readyAfter: 7000 });
    slow.open()[Symbol.dispose]();
    expect(slow.time).toBe(7000);
    expect(() => new Grace({ readyAfter: Infinity }).open()).toThrow(
      expect.objectContaining({ code: 'ETIME' }),
    );
    const killed = new Grace({ readyAfter: Infinity });
    killed.killing = true;
    expect(() => killed.open()).toThrow(expect.objectContaining({ code: 'EINTR' }));
    const gone = new Grace({ extended: [cxlDevice(0xffffffff)] });
    expect(() => gone.open()).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('refuses a GPU with too little memory to be divided', () => {
    expect(() => new Grace({ size: BigInt(GIB) }).open()).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});
