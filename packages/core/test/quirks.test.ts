import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KERNEL_QUIRKS } from '../src/quirks.js';
import { openAdapter } from './device/fixture.js';

const EIO = 5;

describe('the switches for warts', () => {
  it('are all off by default, which is what the kernel does', () => {
    expect(new Set(Object.values(KERNEL_QUIRKS))).toEqual(new Set([false]));
  });

  it('are the ones that docs/quirks.md names', () => {
    const list = readFileSync(new URL('../../../docs/quirks.md', import.meta.url), 'utf8');
    const named = [...list.matchAll(/^\| W\d+ .*\| `(\w+)` +\|$/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(KERNEL_QUIRKS));
  });
});

describe('W17, ports that do not ask whether they are enabled', () => {
  const openPorts = (ioBarHonoursEnable: boolean) =>
    openAdapter({
      description: { bars: [{ kind: 'io', size: 0x20 }] },
      quirks: { ioBarHonoursEnable },
    });

  it('is there by default', () => {
    using adapter = openPorts(false);
    adapter.device.write(7, 0x04, 2, 0x0002);
    expect(adapter.device.read(0, 0, 4)).toBe(0xffffffff);
  });

  it('is gone with the switch: EIO while their own bit is off', () => {
    using adapter = openPorts(true);
    expect(adapter.device.read(0, 0, 4)).toBe(0xffffffff);
    adapter.device.write(7, 0x04, 2, 0x0002);
    expect(adapter.device.read(0, 0, 4)).toBe(-EIO);
    adapter.device.write(7, 0x04, 2, 0x0001);
    expect(adapter.device.read(0, 0, 4)).toBe(0xffffffff);
  });
});
