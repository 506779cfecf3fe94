import { MemoryBlock, OpenBus, PciTopology } from '@vfiokit/pci';
import { NetTransport, openTransport, type UnixTransport } from '@vfiokit/vfio-user';
import { expect, test } from 'vitest';
import { mappableBars } from '../../src/serve/mappable-bars.js';

/** RAM in BAR0 and BAR2, where MSI-X has its table at 0x2000 and its pending bits at 0x5800; nothing in BAR4. */
function makeFunction() {
  const config = new Uint8Array(256);
  const view = new DataView(config.buffer);
  view.setUint32(0x00, 0x0c0b1234, true);
  view.setUint32(0x04, 0x00100000, true);
  config[0x34] = 0x40;
  view.setUint32(0x40, 0x0003_00_11, true);
  view.setUint32(0x44, 0x2002, true);
  view.setUint32(0x48, 0x5802, true);
  const bar = (size: number, block: MemoryBlock | OpenBus) =>
    ({ kind: 'memory', size, block }) as const;
  const [whole, parts] = [new MemoryBlock(0x4000), new MemoryBlock(0x8000)];
  const bars = [bar(0x4000, whole), undefined, bar(0x8000, parts), undefined];
  const description = { config, bars: [...bars, bar(0x1000, new OpenBus())] };
  const pdev = new PciTopology().add('0000:00:03.0', description);
  return { fn: pdev.function, whole, parts };
}

const transport = await openTransport();

test.runIf(transport.passesDescriptors)(
  'RAM behind BARs is shared with clients, apart from the pages of MSI-X',
  () => {
    const { fn, whole, parts } = makeFunction();
    whole.write(8, 4, 0x1234);
    const shared = mappableBars(fn, transport as UnixTransport);
    expect([...shared.keys()]).toEqual([0, 2]);
    expect(shared.get(0)?.areas).toBeUndefined();
    expect(shared.get(0)?.bytes[8]).toBe(0x34);
    expect(shared.get(2)?.areas).toEqual([
      { offset: 0, size: 0x2000 },
      { offset: 0x3000, size: 0x2000 },
      { offset: 0x6000, size: 0x2000 },
    ]);
    shared.get(2)!.bytes[0x10] = 7;
    expect(parts.read(0x10, 1)).toBe(7);
  },
);

test('where no descriptor can be passed, nothing is', () => {
  expect(mappableBars(makeFunction().fn, new NetTransport()).size).toBe(0);
});
