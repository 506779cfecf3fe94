import { GENERIC_IOMMU, IommuGroups } from '@vfiokit/iommu';
import { describe, expect, it } from 'vitest';
import { bridge, Machine, openAdapter, words } from './fixture.js';

const CONFIG = 7;
const CACHE_LINE = 0x0c;
const PMCSR = 0x44;
const RESET = 0x3b6f;
const HOT_RESET = 0x3b71;
const D0 = 0;
const D3_HOT = 3;
/** No_Soft_Reset is 0: the function forgets its registers on the way back from D3hot. */
const FORGETFUL = [[0x44, 2, 0x0000]] as const;

describe('a function that forgets its registers in D3hot', () => {
  it('gets back those that it had when it first went there', () => {
    using adapter = openAdapter({ config: FORGETFUL });
    const { device, pdev } = adapter;
    device.write(CONFIG, CACHE_LINE, 1, 0x10);
    device.write(CONFIG, PMCSR, 2, D3_HOT);
    pdev.function.config.poke(CACHE_LINE, Uint8Array.of(0x20));
    device.write(CONFIG, PMCSR, 2, D3_HOT);
    device.write(CONFIG, PMCSR, 2, D0);
    expect(pdev.function.config.bytes[CACHE_LINE]).toBe(0x10);
  });

  it('gets them back by a reset of its own too', () => {
    using adapter = openAdapter({ config: FORGETFUL });
    const { device, pdev } = adapter;
    device.write(CONFIG, CACHE_LINE, 1, 0x10);
    device.write(CONFIG, PMCSR, 2, D3_HOT);
    pdev.function.config.poke(CACHE_LINE, Uint8Array.of(0));
    expect(device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(pdev.currentState).toBe(D0);
    expect(pdev.function.config.bytes[CACHE_LINE]).toBe(0x10);
  });

  it('gets them back by a hot reset too', () => {
    using machine = new Machine();
    machine.add('0000:00:02.0', { base: bridge(1), description: { bars: [] } });
    const pdev = machine.add('0000:01:00.0', { config: FORGETFUL });
    const group = machine.container.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
    const core = machine.bind(pdev, undefined, group);
    const file = machine.openGroup(core);
    const fd = machine.process.fds.install(file);
    const device = machine.open(core, file);
    device.write(CONFIG, CACHE_LINE, 1, 0x10);
    device.write(CONFIG, PMCSR, 2, D3_HOT);
    pdev.function.config.poke(CACHE_LINE, Uint8Array.of(0));
    expect(device.ioctl(HOT_RESET, words(16, 0, 1, fd), machine.process)).toBe(0);
    expect(pdev.currentState).toBe(D0);
    expect(pdev.function.config.bytes[CACHE_LINE]).toBe(0x10);
  });
});
