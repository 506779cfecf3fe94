import { describe, expect, test } from 'vitest';
import { type PciPlatform, PciTopology } from '../src/index.js';
import { Analyser, configOf, FULL, MSI, MSIX } from './helpers.js';

const EBUSY = -16;
const EINVAL = -22;
const ENOSPC = -28;
const ERANGE = -34;
const ENOTSUPP = -524;

function traced(platform: PciPlatform = {}, config = FULL) {
  const analyser = new Analyser();
  const topology = new PciTopology({ platform: analyser.platform(platform) });
  const device = topology.add('0000:00:03.0', { config, bars: [{ size: 0x4000, kind: 'memory' }] });
  device.enable();
  device.setMaster(true);
  analyser.take();
  return { analyser, device };
}

describe.each(['msi', 'msix'] as const)('allocating %s', (kind) => {
  test('gives as many as are asked for, at most what the function has', () => {
    expect(traced().device.allocIrqVectors(kind, 3)).toBe(3);
    expect(traced().device.allocIrqVectors(kind, 99)).toBe(4);
  });

  test('is ERANGE for none', () => {
    expect(traced().device.allocIrqVectors(kind, 0)).toBe(ERANGE);
  });

  test('is EINVAL outside D0, without the capability, and while something is enabled', () => {
    const { device } = traced();
    device.setPowerState(3);
    expect(device.allocIrqVectors(kind, 1)).toBe(EINVAL);
    expect(traced({}, configOf()).device.allocIrqVectors(kind, 1)).toBe(EINVAL);
    const busy = traced().device;
    busy.allocIrqVectors('msi', 1);
    expect(busy.allocIrqVectors(kind, 1)).toBe(EINVAL);
  });

  test('is what the machine can give: fewer, ENOSPC for none, or its own error', () => {
    const withVectors = (vectors: number) =>
      traced({ vectorsAvailable: () => vectors }).device.allocIrqVectors(kind, 4);
    expect([withVectors(2), withVectors(0), withVectors(ENOTSUPP)]).toEqual([2, ENOSPC, ENOTSUPP]);
  });

  test('enables the mechanism and turns INTx off; freeing does the reverse', () => {
    const { device } = traced();
    const isEnabled = () => (kind === 'msi' ? device.function.msi : device.function.msix)!.enabled;
    device.allocIrqVectors(kind, 2);
    expect([isEnabled(), device.config.read(4, 2) & 0x400, device.vectorKind]).toEqual([
      true,
      0x400,
      kind,
    ]);
    device.freeIrqVectors();
    expect([isEnabled(), device.config.read(4, 2) & 0x400, device.vectorKind]).toEqual([
      false,
      0,
      undefined,
    ]);
  });

  test('delivers each vector to its handler, and to nobody after it is disconnected', () => {
    const { device } = traced();
    const got: number[] = [];
    device.allocIrqVectors(kind, 4);
    for (const vector of [0, 1, 2, 3])
      expect(device.connectVector(vector, () => got.push(vector))).toBe(0);
    for (const vector of [2, 0, 3]) device.function.raise(vector);
    device.disconnectVector(2);
    device.function.raise(2);
    expect(got).toEqual([2, 0, 3]);
  });

  test('keeps what a masked vector raised for when it is connected', () => {
    const { device } = traced();
    device.allocIrqVectors(kind, 2);
    device.function.raise(1);
    let got = 0;
    device.connectVector(1, () => {
      got += 1;
    });
    expect(got).toBe(1);
  });

  test('connects only allocated vectors, once', () => {
    const { device } = traced();
    device.allocIrqVectors(kind, 1);
    expect(device.connectVector(1, () => {})).toBe(EINVAL);
    expect(device.connectVector(0, () => {})).toBe(0);
    expect(device.connectVector(0, () => {})).toBe(EBUSY);
    expect([device.irqVectorAllocated(0), device.irqVectorAllocated(1)]).toEqual([true, false]);
  });

  test('survives a reset whose state is saved and restored', () => {
    const { device } = traced();
    let got = 0;
    device.allocIrqVectors(kind, 2);
    device.connectVector(1, () => {
      got += 1;
    });
    device.saveState();
    device.function.reset('bus');
    device.restoreState();
    device.function.raise(1);
    expect(got).toBe(1);
  });
});

describe('MSI', () => {
  test('is programmed and enabled in this order', () => {
    const { analyser, device } = traced(
      {},
      configOf({ capabilities: [{ ...MSI, body: [0x84, 0] }] }),
    );
    device.allocIrqVectors('msi', 4);
    const writes = analyser
      .take()
      .split(' ')
      .filter((access) => access.startsWith('W'));
    expect(writes).toEqual([
      'W16@52=0084',
      'W16@52=00a4',
      'W32@54=fee00000',
      'W32@58=00000000',
      'W16@5c=0000',
      'W16@4=0406',
      'W16@52=00a5',
    ]);
  });

  test('grants the next power of two', () => {
    const { device } = traced();
    device.allocIrqVectors('msi', 3);
    expect(device.config.read(0x52, 2) & 0x70).toBe(0x20);
  });

  test('has the message that the machine chooses', () => {
    const { device } = traced({
      interruptMessage: () => ({ low: 0xfee01008, high: 2, data: 0x30 }),
    });
    let got = 0;
    device.allocIrqVectors('msi', 2);
    device.connectVector(1, () => {
      got += 1;
    });
    expect([
      device.config.read(0x54, 4),
      device.config.read(0x58, 4),
      device.config.read(0x5c, 2),
    ]).toEqual([0xfee01008, 2, 0x30]);
    device.function.raise(1);
    expect(got).toBe(1);
  });

  test('has no vectors to add', () => {
    const { device } = traced();
    device.allocIrqVectors('msi', 1);
    expect(device.allocMsixVectorAt(1)).toBe(EINVAL);
  });

  test('that a guest has rewritten reaches nobody', () => {
    const { device } = traced();
    let got = 0;
    device.allocIrqVectors('msi', 1);
    device.connectVector(0, () => {
      got += 1;
    });
    device.config.write(0x5c, 2, 0x77);
    device.function.raise(0);
    expect(got).toBe(0);
  });
});

describe('MSI-X', () => {
  const table = (device: ReturnType<typeof traced>['device'], vector: number) =>
    [0, 4, 8, 12].map((word) => device.barMemory(0).read(0x1000 + 16 * vector + word, 4));

  test('has a message a vector, all masked until they are connected', () => {
    const { device } = traced();
    device.allocIrqVectors('msix', 2);
    device.connectVector(1, () => {});
    expect([table(device, 0), table(device, 1), table(device, 2)]).toEqual([
      [0xfee00000, 0, 0, 1],
      [0xfee00000, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
  });

  test('masks its vectors when it is switched off', () => {
    const { device } = traced();
    device.allocIrqVectors('msix', 2);
    device.connectVector(1, () => {});
    device.freeIrqVectors();
    expect([0, 1].map((vector) => table(device, vector)[3])).toEqual([1, 1]);
  });

  test('adds vectors while enabled, where the machine can', () => {
    const { device } = traced();
    expect(device.msixDynamic).toBe(true);
    device.allocIrqVectors('msix', 1);
    expect([
      device.allocMsixVectorAt(3),
      device.allocMsixVectorAt(3),
      device.allocMsixVectorAt(4),
    ]).toEqual([0, EINVAL, EINVAL]);
    let got = 0;
    device.connectVector(3, () => {
      got += 1;
    });
    device.function.raise(3);
    expect(got).toBe(1);
    const fixed = traced({ msixDynamic: () => false }).device;
    fixed.allocIrqVectors('msix', 1);
    expect([fixed.msixDynamic, fixed.allocMsixVectorAt(1)]).toEqual([false, EINVAL]);
  });

  test('is ENOSPC when the machine has no vector to add', () => {
    let left = 1;
    const { device } = traced({ vectorsAvailable: () => left });
    device.allocIrqVectors('msix', 1);
    left = 0;
    expect(device.allocMsixVectorAt(1)).toBe(ENOSPC);
    left = EINVAL;
    expect(device.allocMsixVectorAt(1)).toBe(EINVAL);
  });

  test('gets a message again that a reset has wiped', () => {
    const { device } = traced();
    device.allocIrqVectors('msix', 1);
    device.connectVector(0, () => {});
    device.barMemory(0).write(0x1000, 4, 0);
    device.rewriteMsixMessage(0);
    expect(table(device, 0)).toEqual([0xfee00000, 0, 0, 0]);
  });

  test('cannot be reached while the function does not decode memory', () => {
    const { device } = traced();
    device.config.write(4, 2, 4);
    device.allocIrqVectors('msix', 1);
    device.config.write(4, 2, 6);
    expect(table(device, 0)).toEqual([0, 0, 0, 1]);
  });

  test('leaves the table alone in D3', () => {
    const { device } = traced(
      {},
      configOf({ capabilities: [{ at: 0x40, id: 1, body: [3, 0, 8, 0] }, MSIX] }),
    );
    device.allocIrqVectors('msix', 1);
    device.setPowerState(3);
    device.connectVector(0, () => {});
    device.setPowerState(0);
    expect(table(device, 0)[3]).toBe(1);
    device.rewriteMsixMessage(0);
    expect(table(device, 0)[3]).toBe(0);
  });
});
