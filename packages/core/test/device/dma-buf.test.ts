import { FdTable } from '@vfiokit/uapi';
import { describe, expect, it, vi } from 'vitest';
import { DmaBuf } from '../../src/dma-buf.js';
import { openAdapter } from './fixture.js';

const EINVAL = 22;
const EMFILE = 24;
const ENODEV = 19;
const RESET = 0x3b6f;
const FEATURE = 0x3b75;
const GET = 0x10000;
const DMA_BUF = 11;

/** Lends ranges of BAR 0: offsets and lengths as two words each. */
function lend(
  { ioctl }: ReturnType<typeof openAdapter>,
  ...ranges: readonly (readonly [bigint, bigint])[]
): number {
  const words = ranges
    .flat()
    .flatMap((value) => [Number(value & 0xffffffffn), Number(value >> 32n)]);
  const argsz = 24 + 16 * ranges.length;
  return ioctl(FEATURE, argsz, GET | DMA_BUF, 0, 0, 0, ranges.length, ...words)[0];
}

describe('lending device memory', () => {
  it('looks at the sum of the lengths before it looks at addresses', () => {
    using adapter = openAdapter();
    expect(lend(adapter, [(1n << 64n) - 0x1000n, 1n << 63n])).toBe(-EINVAL);
    expect(lend(adapter, [0n, 1n << 62n], [0n, 1n << 62n])).toBe(-EINVAL);
  });

  it('is over for a device that is on its way out', () => {
    using adapter = openAdapter();
    adapter.machine.vfio.unbind(adapter.core);
    expect(lend(adapter, [0n, 0x1000n])).toBe(-ENODEV);
  });

  it('pauses while the function is reset', () => {
    using adapter = openAdapter();
    const buffer = adapter.process.fds.get(lend(adapter, [0n, 0x1000n]));
    if (!(buffer instanceof DmaBuf)) throw new TypeError('no dma-buf');
    const told: (boolean | 'reset')[] = [];
    buffer.attach({ peerToPeer: true, moved: (usable) => told.push(usable) });
    adapter.pdev.resetHooks = { prepare: () => told.push('reset') };
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(told).toEqual([false, 'reset', true]);
  });

  it('is taken back if there is no descriptor left', () => {
    using adapter = openAdapter();
    const install = vi.spyOn(FdTable.prototype, 'install').mockReturnValue(-EMFILE);
    try {
      expect(lend(adapter, [0n, 0x1000n])).toBe(-EMFILE);
    } finally {
      install.mockRestore();
    }
    expect(adapter.core.opened!.dmaBufs.size).toBe(0);
  });
});
