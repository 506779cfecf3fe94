import { openFunction, SILICON, type SiliconModel } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { nvgraceGpuVariant } from '../src/index.js';

const AT = '0009:01:00.0';
const machine = (firmware: Record<string, unknown>) => ({
  name: 'grace',
  architecture: 'aarch64',
  functions: [{ at: AT }],
  firmware,
});

/** Size of the region behind BARs 4 and 5 of a GPU of a machine with this firmware. */
function usemem(firmware: Record<string, unknown>): number {
  const host = root.createChildContainer();
  nvgraceGpuVariant(host, machine(firmware));
  const silicon = host.resolve<SiliconModel>(SILICON);
  const config = buildConfig({ vendor: 0x10de, device: 0x2342, class: 0x030200 });
  const bars = [{ size: 2 ** 24, kind: 'memory' }] as const;
  const pdev = new PciTopology().add(AT, silicon.describe(AT, { config, bars }));
  using opened = openFunction(pdev, {
    driver: 'nvgrace_gpu_vfio_pci',
    register: (one) => nvgraceGpuVariant(one, machine(firmware)),
  });
  return Number(new DeviceClient(opened.device, opened.process).regionInfo(4).size);
}

describe('a GPU of a described Grace machine', () => {
  it('has the memory that firmware gives it, and is ready at once', () => {
    expect(usemem({ graceMemory: { [AT]: { base: '0x400000000000', size: '96G' } } })).toBe(
      2 ** 37,
    );
  });

  it('has none of it when firmware says that the link did not come up', () => {
    expect(usemem({ graceMemory: { [AT]: { base: '0x400000000000', size: 0 } } })).toBe(0);
  });

  it('does not get ready where nobody says that it is', () => {
    expect(() => usemem({})).toThrow(expect.objectContaining({ code: 'ETIME' }));
  });

  it('is refused with what is wrong in the table', () => {
    expect(() => usemem({ graceMemory: { [AT]: { base: 1024, size: '96G' } } })).toThrow(
      `grace: firmware.graceMemory.${AT}.base: must be an address`,
    );
  });
});
