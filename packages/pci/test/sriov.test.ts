import { describe, expect, test } from 'vitest';
import { Sriov } from '../src/host/sriov.js';
import { MemoryBlock, PciFunction, PciTopology } from '../src/index.js';
import { Analyser, configOf, EXPRESS, words } from './helpers.js';

const EINVAL = -22;
const EIO = -5;
const ENOMEM = -12;
const CAP = 0x160;

/** A PF with up to four VFs, two routing ids apart from 0x80 on, and a 16 KiB VF BAR. */
const SRIOV = {
  at: CAP,
  id: 0x10,
  body: [...words(0, 0, 0x00040004, 0, 0x00020080, 0x10ca0000, 0x553, 1), ...words(0x0000000c, 1)],
};
const PF = {
  config: configOf({
    capabilities: [EXPRESS],
    extended: [{ at: 0x100, id: 0x01 }, SRIOV],
    bytes: [[0x0b, [0x02]]],
  }),
  vfBars: [{ size: 0x4000, kind: 'memory', is64Bit: true, prefetchable: true }],
} as const;

describe('SR-IOV in silicon', () => {
  test('VF Enable creates NumVFs functions and its end removes them', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x10, 2, 3);
    silicon.config.write(CAP + 8, 2, 0x0001);
    expect(silicon.virtualFunctions).toHaveLength(3);
    silicon.config.write(CAP + 8, 2, 0);
    expect(silicon.virtualFunctions).toEqual([]);
  });

  test('a VF that is gone answers nothing, and comes back reset', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x10, 2, 1);
    silicon.config.write(CAP + 8, 2, 1);
    const vf = silicon.virtualFunctions[0]!;
    vf.config.write(0x04, 2, 4);
    silicon.config.write(CAP + 8, 2, 0);
    expect(vf.config.read(0x08, 4)).toBe(0xffffffff);
    silicon.config.write(CAP + 8, 2, 1);
    expect(silicon.virtualFunctions).toEqual([vf]);
    expect(vf.config.read(0x04, 2)).toBe(0);
  });

  test('NumVFs does not change while VFs exist, and never exceeds TotalVFs', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x10, 2, 9);
    silicon.config.write(CAP + 8, 2, 1);
    silicon.config.write(CAP + 0x10, 2, 1);
    expect(silicon.config.read(CAP + 0x10, 2)).toBe(9);
    expect(silicon.virtualFunctions).toHaveLength(4);
  });

  test('a VF reads all-ones ids, zero BARs, and its own class', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x10, 2, 1);
    silicon.config.write(CAP + 8, 2, 1);
    const vf = silicon.virtualFunctions[0]!;
    vf.config.write(0x10, 4, 0xffffffff);
    expect([0x00, 0x08, 0x10].map((at) => vf.config.read(at, 4))).toEqual([
      0xffffffff, 0x02000002, 0,
    ]);
    expect(vf.findCapability(0x10)).not.toBe(0);
  });

  test("a VF's memory answers by its PF's enable bit", () => {
    const silicon = new PciFunction({
      ...PF,
      virtualFunction: () => ({
        config: configOf({ bytes: [[0x00, words(-1)]] }),
        bars: [{ size: 0x4000, kind: 'memory', block: new MemoryBlock(0x4000) }],
      }),
    });
    silicon.config.write(CAP + 0x10, 2, 1);
    silicon.config.write(CAP + 8, 2, 0x0001);
    const { decoded } = silicon.virtualFunctions[0]!.bars[0]!;
    silicon.virtualFunctions[0]!.config.write(0x04, 2, 2);
    expect(decoded.read(0, 4)).toBe(0xffffffff);
    silicon.config.write(CAP + 8, 2, 0x0009);
    expect(decoded.read(0, 4)).toBe(0);
  });

  test('a reset of the PF takes its VFs away', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x10, 2, 2);
    silicon.config.write(CAP + 8, 2, 1);
    silicon.reset('flr');
    expect(silicon.virtualFunctions).toEqual([]);
    expect(silicon.config.read(CAP + 8, 2)).toBe(0);
  });

  test('VF BARs show their size to software', () => {
    const silicon = new PciFunction(PF);
    silicon.config.write(CAP + 0x24, 4, 0xffffffff);
    expect(silicon.config.read(CAP + 0x24, 4)).toBe(0xffffc00c);
  });
});

describe('SR-IOV of the host', () => {
  function machine(platform = {}) {
    const topology = new PciTopology({ platform });
    const pf = topology.add('0000:01:00.0', PF);
    return { topology, pf };
  }

  test('adds VFs at offset and stride, with the ids that their PF gives them', () => {
    const { topology, pf } = machine();
    expect(pf.sriov!.enable(2)).toBe(0);
    expect(pf.virtualFunctions.map(({ name }) => name)).toEqual(['0000:01:10.0', '0000:01:10.2']);
    const vf = topology.find('0000:01:10.2')!;
    expect([vf.vendor, vf.device, vf.class]).toEqual([0x1234, 0x10ca, 0x020000]);
    expect([vf.isVirtfn, vf.physfn, vf.noCommandMemory]).toEqual([true, pf, true]);
    expect(pf.isPhysfn).toBe(true);
  });

  test("gives each VF its share of the PF's windows", () => {
    const { pf } = machine();
    pf.sriov!.enable(2);
    const [first, second] = pf.virtualFunctions.map(({ resources }) => resources[0]!);
    expect(first).toMatchObject({ start: 0x1_0000_0000n, length: 0x4000, is64Bit: true });
    expect(second!.start - first!.start).toBe(0x4000n);
    expect(pf.resources[7]).toMatchObject({ start: 0x1_0000_0000n, length: 0x10000 });
  });

  test('finds room for the windows of a PF that firmware gave none', () => {
    const config = PF.config.slice();
    config.set(words(0x0000000c, 0), CAP + 0x24);
    const pf = new PciTopology().add('0000:01:00.0', { ...PF, config });
    expect(pf.resources[7]!.start % 0x4000n).toBe(0n);
    expect(pf.resources[7]!.start).not.toBe(0n);
  });

  test('removes all VFs at once', () => {
    const { topology, pf } = machine();
    pf.sriov!.enable(2);
    pf.sriov!.disable();
    expect(pf.virtualFunctions).toEqual([]);
    expect(topology.find('0000:01:10.0')).toBeUndefined();
    expect([pf.sriov!.numVfs, pf.config.read(CAP + 8, 2)]).toEqual([0, 0]);
  });

  test('answers EINVAL for more VFs than there are, and for a second time', () => {
    const { pf } = machine();
    expect(pf.sriov!.enable(5)).toBe(EINVAL);
    expect(pf.sriov!.enable(1)).toBe(0);
    expect(pf.sriov!.enable(1)).toBe(EINVAL);
  });

  test('answers EIO for a capability that promises more VFs than it has', () => {
    const config = PF.config.slice();
    config[CAP + 0x0c] = 9;
    const pf = new PciTopology().add('0000:01:00.0', { ...PF, config });
    expect(pf.sriov!.enable(1)).toBe(EIO);
  });

  test('changes nothing when the machine has no room', () => {
    const { pf } = machine({ enableVfs: () => ENOMEM });
    expect(pf.sriov!.enable(1)).toBe(ENOMEM);
    expect([pf.sriov!.numVfs, pf.virtualFunctions.length]).toEqual([0, 0]);
  });

  test('adds VFs beyond the bus of their PF to that bus', () => {
    const config = PF.config.slice();
    config.set([0x80, 0x01], CAP + 0x14);
    const pf = new PciTopology().add('0000:01:00.0', { ...PF, config });
    pf.sriov!.enable(1);
    expect(pf.virtualFunctions[0]!.name).toBe('0000:02:10.0');
    expect(pf.virtualFunctions[0]!.bus).toBe(pf.bus);
  });

  test('takes everything back if the VFs cannot be added', () => {
    const { pf } = machine();
    const refusing = new Sriov(pf, CAP, {
      addVirtualFunctions: () => ENOMEM,
      removeVirtualFunctions: () => {},
    });
    expect(refusing.enable(2)).toBe(ENOMEM);
    expect(refusing.numVfs).toBe(0);
    expect([pf.config.read(CAP + 8, 2), pf.config.read(CAP + 0x10, 2)]).toEqual([0, 0]);
  });

  test('puts the page size back after a reset of the PF, along with the VF BARs', () => {
    const config = PF.config.slice();
    config.set(words(0x10), CAP + 0x20);
    const pf = new PciTopology().add('0000:01:00.0', { ...PF, config });
    pf.sriov!.enable(1);
    const bar = pf.config.read(CAP + 0x24, 4);
    pf.function.reset('flr');
    expect(pf.config.read(CAP + 0x20, 4)).toBe(1);
    pf.sriov!.restore();
    expect(pf.config.read(CAP + 0x20, 4)).toBe(0x10);
    expect(pf.config.read(CAP + 0x24, 4)).toBe(bar);
  });

  test('leaves a PF alone that was not reset: its VFs are in use', () => {
    const analyser = new Analyser();
    const pf = new PciTopology({ platform: analyser.platform() }).add('0000:01:00.0', PF);
    pf.sriov!.enable(1);
    analyser.take();
    pf.sriov!.restore();
    expect(analyser.take()).toBe(`R16@${(CAP + 8).toString(16)}`);
  });

  test('puts VFs back after a reset of the PF', () => {
    const { pf } = machine();
    pf.sriov!.enable(2);
    pf.saveState();
    pf.function.reset('flr');
    pf.restoreState();
    expect(pf.config.read(CAP + 8, 2) & 9).toBe(9);
    expect(pf.config.read(CAP + 0x10, 2)).toBe(2);
    expect(pf.virtualFunctions.map((vf) => vf.function)).toEqual(pf.function.virtualFunctions);
    expect(pf.virtualFunctions[1]!.config.read(0, 4)).toBe(0xffffffff);
    expect(pf.virtualFunctions[1]!.config.read(0x08, 4)).toBe(0x02000002);
  });
});
