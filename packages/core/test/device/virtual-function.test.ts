import { MemoryBlock } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { ioctl, Machine, SRIOV } from './fixture.js';

const EINVAL = 22;
const GET_IRQ_INFO = 0x3b6d;
const SET_IRQS = 0x3b6e;
const CONFIG = 7;
const COMMAND = 0x04;
const MEMORY = 2;

/** A VF, open, whose BAR 0 holds 16 KiB. Its PF got its VFs from somebody else, so that no token is in the way. */
function openVf() {
  const machine = new Machine();
  const pf = machine.add('0000:00:03.0', {
    config: SRIOV,
    description: {
      vfBars: [{ kind: 'memory', size: 0x4000, is64Bit: true }],
      virtualFunction: () => ({
        config: Uint8Array.of(0xff, 0xff, 0xff, 0xff),
        configSize: 4096,
        bars: [
          { kind: 'memory', size: 0x4000, is64Bit: true, block: new MemoryBlock(0x4000) },
          undefined,
        ],
      }),
    },
  });
  pf.sriov!.enable(1);
  const pdev = pf.virtualFunctions[0]!;
  const device = machine.open(machine.bind(pdev));
  return { machine, pdev, device, [Symbol.dispose]: () => machine[Symbol.dispose]() };
}

describe('a VF', () => {
  it('[core:C4.7] shows the ids that the host knows, though hardware shows none', () => {
    using vf = openVf();
    expect(vf.pdev.function.config.peek32(0)).toBe(0xffffffff);
    expect(vf.device.read(CONFIG, 0, 2)).toBe(0x8086);
    expect(vf.device.read(CONFIG, 2, 2)).toBe(0x10ca);
  });

  it('[core:C4.8 core:C4.9] shows memory as enabled, lets that be cleared, and answers all the same', () => {
    using vf = openVf();
    const { device, pdev } = vf;
    const mapping = device.mmap({ position: 0, length: 4096, shared: true });
    if (typeof mapping === 'number') throw new RangeError(`mmap: ${mapping}`);
    expect(device.read(CONFIG, COMMAND, 2)).toBe(MEMORY);
    expect(pdev.function.config.peek16(COMMAND) & MEMORY).toBe(0);
    device.write(0, 0x10, 4, 0xcafe0001);
    device.write(CONFIG, COMMAND, 2, 0);
    expect(device.read(CONFIG, COMMAND, 2)).toBe(0);
    expect(device.read(0, 0x10, 4)).toBe(0xcafe0001);
    expect(mapping.load(0x10, 4)).toBe(0xcafe0001);
  });

  it('[core:C4.10 core:C2.20] has no INTx', () => {
    using vf = openVf();
    const { device, machine } = vf;
    expect(device.read(CONFIG, 0x3d, 1)).toBe(0);
    const info = ioctl(device, machine.process, GET_IRQ_INFO, 16, 0, 0, 7);
    expect(info).toEqual([0, 16, 7, 0, 0]);
    const enable = ioctl(device, machine.process, SET_IRQS, 24, 0x24, 0, 0, 1, 0xffffffff);
    expect(enable[0]).toBe(-EINVAL);
  });
});
