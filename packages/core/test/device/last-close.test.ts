import { describe, expect, it } from 'vitest';
import { bridge, Machine } from './fixture.js';

/** A function behind a port, which can be reset alone and with its bus. */
function behindPort() {
  const machine = new Machine();
  const port = machine.add('0000:00:02.0', { base: bridge(1), description: { bars: [] } });
  const pdev = machine.add('0000:01:00.0');
  return { machine, port, core: machine.bind(pdev) };
}

describe('the last close', () => {
  it('leaves out the reset of the function while somebody holds the bridge above it', () => {
    const { machine, port, core } = behindPort();
    const device = machine.open(core);
    expect(port.tryLock()).toBe(true);
    device.close();
    port.unlock();
    expect(core.needsReset).toBe(true);
  });

  it('gives the bridge back', () => {
    const { machine, port, core } = behindPort();
    machine.open(core).close();
    expect(core.needsReset).toBe(false);
    expect(port.tryLock()).toBe(true);
  });
});
