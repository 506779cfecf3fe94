import { describeRegionOps } from '@vfiokit/testing';
import { type DeviceMapping, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { atsdRegions, gpuRamRegions, pairByTarget } from '../src/index.js';
import { ATSD_AT, BRIDGE, GPU, GPU_RAM_AT, Power9, TARGET, WINDOW } from './power9.js';

const EPERM = 1;
const ENOMEM = 12;
const EINVAL = 22;
const RAM_POSITION = 9 * 2 ** 40;
const PAGE = 0x10000;
const SSATGT = 4;
const LNKSPD = 5;
const TYPE = 2;

/** What the core hands over, without a core. */
const opening = (machine: Power9, name: string) =>
  ({ pdev: machine.topology.find(name)!, name, kvm: undefined }) as unknown as Parameters<
    typeof gpuRamRegions
  >[0];

describeRegionOps('GPU memory', () => {
  const machine = new Power9();
  const [region] = gpuRamRegions(opening(machine, GPU), machine);
  return { ops: region!.ops, size: WINDOW, writable: true, plain: [[0, 4096]] };
});
describeRegionOps('ATSD registers', () => {
  const machine = new Power9();
  const [region] = atsdRegions(opening(machine, BRIDGE), machine);
  return { ops: region!.ops, size: PAGE, writable: true };
});

const map = (device: { mmap(request: object): DeviceMapping | number }, length: number) =>
  device.mmap({ position: RAM_POSITION, length, shared: true });

const failing = (machine: Power9, name: string) => {
  try {
    machine.open(name)[Symbol.dispose]();
  } catch (error) {
    return (error as VfioError).code;
  }
  return undefined;
};

describe('the memory of a GPU behind NVLink2', () => {
  it('[derived:91] is a region of its own, which can be read, written and mapped, and says its target', () => {
    using gpu = new Power9().open(GPU);
    const info = gpu.client.regionInfo(9);
    expect(info.type).toEqual({ type: 0x800010de, subtype: 1 });
    expect(info.flags).toBe(0xf);
    expect(info.size).toBe(WINDOW);
    expect(info.capabilities.map(({ id, version }) => [id, version])).toEqual([
      [TYPE, 1],
      [SSATGT, 1],
    ]);
    const { body } = info.capabilities[1]!;
    expect(new DataView(body.buffer, body.byteOffset).getBigUint64(0, true)).toBe(TARGET);
  });

  it('holds what is written, up to its end', () => {
    using gpu = new Power9().open(GPU);
    gpu.client.writeRegion(9, WINDOW - 3, Uint8Array.of(1, 2, 3));
    expect([...gpu.client.readRegion(9, WINDOW - 3, 8)]).toEqual([1, 2, 3]);
    expect(gpu.device.pread(new Uint8Array(1), RAM_POSITION + WINDOW)).toBe(-EINVAL);
  });

  it('[derived:92] can be mapped once in an open', () => {
    const machine = new Power9();
    using gpu = machine.open(GPU);
    const mapping = map(gpu.device, 2 * PAGE) as DeviceMapping;
    mapping.store(4, 4, 0xcafe);
    expect([...gpu.client.readRegion(9, 4, 2)]).toEqual([0xfe, 0xca]);
    expect(map(gpu.device, PAGE)).toBe(-EPERM);
    expect(machine.log).toEqual([`register ${GPU_RAM_AT.toString(16)}+20000`]);
    gpu[Symbol.dispose]();
    expect(machine.log.at(-1)).toBe(`unregister ${GPU_RAM_AT.toString(16)}`);
    using again = machine.open(GPU);
    expect(map(again.device, PAGE)).toBeTypeOf('object');
  });

  it('[derived:93] can not be mapped beyond what there is', () => {
    using gpu = new Power9().open(GPU);
    expect(map(gpu.device, WINDOW + PAGE)).toBe(-EINVAL);
  });

  it('hands out what the IOMMU side refuses with', () => {
    const machine = new Power9();
    machine.registerError = -ENOMEM;
    using gpu = machine.open(GPU);
    expect(map(gpu.device, PAGE)).toBe(-ENOMEM);
  });

  it('[derived:97] is not there without links, and the GPU opens all the same', () => {
    const machine = new Power9();
    machine.linked = false;
    using gpu = machine.open(GPU);
    expect(gpu.client.info().numRegions).toBe(9);
    using bridge = machine.open(BRIDGE);
    expect(bridge.client.info().numRegions).toBe(9);
  });

  it('does not open with half a description', () => {
    const machine = new Power9();
    machine.npuNode = { properties: machine.npuNode.properties };
    expect(failing(machine, GPU)).toBe('EINVAL');
    const nameless = new Power9();
    nameless.npuNode = { ...nameless.npuNode, properties: {} };
    expect(failing(nameless, GPU)).toBe('EFAULT');
  });
});

describe('the bridge of NVLink2', () => {
  it('[derived:94] has a region with TYPE, SSATGT and LNKSPD', () => {
    using bridge = new Power9().open(BRIDGE);
    const info = bridge.client.regionInfo(9);
    expect(info.type).toEqual({ type: 0x80001014, subtype: 1 });
    expect(info.size).toBe(PAGE);
    expect(info.flags).toBe(0xf);
    expect(info.capabilities.map(({ id }) => id)).toEqual([TYPE, SSATGT, LNKSPD]);
    const { body } = info.capabilities[2]!;
    expect(new DataView(body.buffer, body.byteOffset).getUint32(0, true)).toBe(9);
  });

  it('[derived:95] has an empty region without registers, with all its capabilities', () => {
    const machine = new Power9();
    machine.hostBridge = { properties: {} };
    using bridge = machine.open(BRIDGE);
    const info = bridge.client.regionInfo(9);
    expect(info.size).toBe(0);
    expect(info.flags).toBe(0xf);
    expect(info.capabilities.map(({ id }) => id)).toEqual([TYPE, SSATGT, LNKSPD]);
    expect(bridge.device.pread(new Uint8Array(1), RAM_POSITION)).toBe(-EINVAL);
  });

  it('[derived:96] is mapped as the one page that there is', () => {
    const machine = new Power9();
    using bridge = machine.open(BRIDGE);
    expect(map(bridge.device, 2 * PAGE)).toBe(-EINVAL);
    expect(map(bridge.device, 4096)).toBe(-EINVAL);
    const mapping = map(bridge.device, PAGE) as DeviceMapping;
    mapping.store(8, 4, 0x1234);
    expect(machine.atsd.read(8, 4)).toBe(0x1234);
  });

  it('does not open without a target, and is no end of a link without an index', () => {
    const machine = new Power9();
    machine.npuNode = { properties: { 'ibm,npu-link-index': [1n], 'ibm,nvlink-speed': [9n] } };
    expect(failing(machine, BRIDGE)).toBe('EFAULT');
    const nameless = new Power9();
    nameless.npuNode = { properties: {} };
    using bridge = nameless.open(BRIDGE);
    expect(bridge.client.info().numRegions).toBe(9);
  });

  it('does not open if its registers can not be mapped', () => {
    const machine = new Power9();
    machine.hostBridge = { properties: { 'ibm,mmio-atsd': [0n, ATSD_AT + 1n] } };
    expect(failing(machine, BRIDGE)).toBe('ENOMEM');
  });

  it('[derived:98] belongs to the GPU with the same target', () => {
    const machine = new Power9();
    using gpu = machine.open(GPU);
    using bridge = machine.open(BRIDGE);
    const other = new Power9();
    other.npuNode = {
      ...other.npuNode,
      properties: { ...other.npuNode.properties, 'ibm,device-tgt-addr': [0x9n] },
    };
    using stranger = other.open(BRIDGE);
    const found = [
      { device: GPU, info: gpu.client.regionInfo(9) },
      { device: BRIDGE, info: bridge.client.regionInfo(9) },
      { device: 'other', info: stranger.client.regionInfo(9) },
    ];
    expect([...pairByTarget(found)]).toEqual([
      [TARGET, [GPU, BRIDGE]],
      [0x9n, ['other']],
    ]);
  });
});
