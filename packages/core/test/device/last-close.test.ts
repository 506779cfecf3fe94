import { describe, expect, it, vi } from 'vitest';
import { bridge, Machine, openAdapter } from './fixture.js';

const EINVAL = 22;

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

  it('leaves the bus alone if the function could be reset by itself', () => {
    const { machine, port, core } = behindPort();
    const device = machine.open(core);
    machine.trace(port).take();
    device.close();
    expect(machine.trace(port).log.filter((access) => access.startsWith('W'))).toEqual([]);
  });

  it('stops DMA before it takes interrupts away', () => {
    using adapter = openAdapter();
    adapter.client.setIrqs({ index: 1, eventfds: [() => {}] });
    adapter.device.write(7, 0x04, 2, 0x0406);
    adapter.trace.take();
    adapter.device.close();
    const writes = adapter.trace.log.filter((access) => access.startsWith('W'));
    const quiet = writes.indexOf('W16@4=0402');
    expect(quiet).toBeGreaterThan(-1);
    expect(quiet).toBeLessThan(writes.findIndex((access) => access.startsWith('W16@52=')));
  });

  it('gives the bridge back', () => {
    const { machine, port, core } = behindPort();
    machine.open(core).close();
    expect(core.needsReset).toBe(false);
    expect(port.tryLock()).toBe(true);
  });

  it.each([
    ['saves it as it is, and resets', true],
    ['leaves it as it is', false],
  ])('%s where the configuration of the open does not fit any more', (_, resetWorks) => {
    // Or it would be saved once more when it goes to sleep.
    using machine = new Machine({ parameters: { disable_idle_d3: true } });
    const pdev = machine.add('0000:00:03.0', resetWorks ? {} : { facts: { resetMethods: [] } });
    const device = machine.open(machine.bind(pdev));
    vi.spyOn(pdev, 'loadSavedState').mockReturnValue(-EINVAL);
    const saved = vi.spyOn(pdev, 'saveState');
    machine.trace(pdev).take();
    device.close();
    expect(saved).toHaveBeenCalledTimes(resetWorks ? 1 : 0);
    expect(machine.trace(pdev).log.includes('W16@4=0400')).toBe(resetWorks);
  });
});
