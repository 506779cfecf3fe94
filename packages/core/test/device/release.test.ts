import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { RELEASE_HOOKS } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { openAdapter } from './fixture.js';

/** A driver whose probe sets two things up, and may then give up. */
function driver(log: string[], error?: VfioError): VfioPciDriver {
  return {
    name: 'toy-vfio-pci',
    ids: [{}],
    probe(_pdev, container) {
      for (const name of ['first', 'second'])
        container.register(RELEASE_HOOKS, { useValue: () => log.push(name) });
      if (error !== undefined) throw error;
    },
  };
}

describe('what a probe set up', () => {
  it('goes when the device is unbound, last first', () => {
    const log: string[] = [];
    const adapter = openAdapter({ driver: driver(log) });
    adapter.machine.vfio.unbind(adapter.core);
    expect(log).toEqual([]);
    adapter.device.close();
    expect(log).toEqual(['second', 'first']);
  });

  it('goes when the probe fails after it', () => {
    const log: string[] = [];
    const error = new VfioError('ENODEV', 'toy: no');
    expect(() => openAdapter({ driver: driver(log, error) })).toThrow(error);
    expect(log).toEqual(['second', 'first']);
  });

  it('goes when the device can not be registered', () => {
    const log: string[] = [];
    expect(() =>
      openAdapter({ driver: driver(log), config: [[0x0e, 1, 0x01]], description: { bars: [] } }),
    ).toThrow(/bridge/);
    expect(log).toEqual(['second', 'first']);
  });
});
