import { describe, expect, test } from 'vitest';
import { type PciPlatform, PciTopology, RuntimePm } from '../src/index.js';
import { configOf, PM } from './helpers.js';

const EBUSY = -16;
const EIO = -5;

/** A device on a bus that only remembers what it was asked for. */
function counted(
  policy: 'immediate' | 'deferred' = 'immediate',
  results = { suspend: 0, resume: 0 },
) {
  const calls: string[] = [];
  const pm = new RuntimePm(
    {
      suspend: () => {
        calls.push('suspend');
        return results.suspend;
      },
      resume: () => {
        calls.push('resume');
        return results.resume;
      },
    },
    policy,
  );
  return { pm, calls };
}

describe('usage count', () => {
  test('begins at 1 with the device active', () => {
    const { pm } = counted();
    expect([pm.usage, pm.suspended]).toEqual([1, false]);
  });

  test('at 0 suspends the device, and the next user resumes it', () => {
    const { pm, calls } = counted();
    pm.put();
    expect([pm.usage, pm.suspended]).toEqual([0, true]);
    expect(pm.get()).toBe(0);
    expect([pm.usage, pm.suspended, calls]).toEqual([1, false, ['suspend', 'resume']]);
  });

  test('above 0 keeps it awake', () => {
    const { pm, calls } = counted();
    pm.get();
    pm.put();
    expect(calls).toEqual([]);
  });

  test('is only counted by getNoresume and putNoidle', () => {
    const { pm, calls } = counted();
    pm.putNoidle();
    expect([pm.usage, pm.suspended]).toEqual([0, false]);
    pm.put();
    pm.getNoresume();
    expect([pm.usage, pm.suspended, calls]).toEqual([0, true, ['suspend']]);
  });

  test('is not raised by a resume that fails, and the device stays suspended', () => {
    const { pm } = counted('immediate', { suspend: 0, resume: EIO });
    pm.put();
    expect(pm.get()).toBe(EIO);
    expect([pm.usage, pm.suspended]).toEqual([0, true]);
  });

  test('at 0 with a bus that refuses leaves the device active', () => {
    const { pm } = counted('immediate', { suspend: EBUSY, resume: 0 });
    pm.put();
    expect(pm.suspended).toBe(false);
  });

  test('at 0 waits for settle where idling is deferred', () => {
    const { pm, calls } = counted('deferred');
    pm.put();
    expect(calls).toEqual([]);
    pm.settle();
    pm.settle();
    expect(calls).toEqual(['suspend']);
    pm.get();
    pm.settle();
    expect(pm.suspended).toBe(false);
  });

  test('may change within the callbacks without beginning another suspend or resume', () => {
    const calls: string[] = [];
    const pm: RuntimePm = new RuntimePm({
      suspend: () => {
        calls.push('suspend');
        pm.get();
        pm.put();
        return 0;
      },
      resume: () => {
        calls.push('resume');
        pm.get();
        pm.put();
        return 0;
      },
    });
    pm.put();
    pm.get();
    expect([calls, pm.usage, pm.suspended]).toEqual([['suspend', 'resume'], 1, false]);
  });
});

describe('runtime PM of a PCI function', () => {
  function device(platform: PciPlatform = {}, pmcsr = 0x08) {
    return new PciTopology({ platform }).add('0000:00:03.0', {
      config: configOf({ capabilities: [{ ...PM, body: [0x03, 0x06, pmcsr, 0] }] }),
    });
  }

  test('goes to D3hot and back around the callbacks of the driver', () => {
    const pdev = device();
    const seen: string[] = [];
    const note = (what: string) => () => {
      seen.push(`${what} in D${pdev.currentState}`);
      return 0;
    };
    pdev.runtimePm.callbacks = { suspend: note('suspend'), resume: note('resume') };
    pdev.runtimePm.put();
    expect(pdev.currentState).toBe(3);
    pdev.runtimePm.get();
    expect(pdev.currentState).toBe(0);
    expect(seen).toEqual(['suspend in D0', 'resume in D0']);
  });

  test('brings the registers back that were lost', () => {
    const pdev = device({}, 0);
    pdev.runtimePm.callbacks = {};
    pdev.config.write(0x04, 2, 6);
    pdev.runtimePm.put();
    pdev.runtimePm.get();
    expect(pdev.config.read(0x04, 2)).toBe(6);
  });

  test('leaves a function without a driver in D0', () => {
    const pdev = device();
    pdev.runtimePm.put();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 0]);
  });

  test('leaves a function without the capability in D0', () => {
    const pdev = new PciTopology().add('0000:00:03.0', { config: configOf() });
    pdev.runtimePm.callbacks = {};
    pdev.runtimePm.put();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 0]);
    expect(pdev.runtimePm.get()).toBe(0);
  });

  test('goes where the machine says', () => {
    const pdev = device({ targetState: () => 2 });
    pdev.runtimePm.callbacks = {};
    pdev.runtimePm.put();
    expect(pdev.currentState).toBe(2);
  });

  test('does not suspend when the driver refuses', () => {
    const pdev = device();
    pdev.runtimePm.callbacks = { suspend: () => EBUSY };
    pdev.runtimePm.put();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([false, 0]);
  });

  test('leaves the power state to a driver that saved the state itself', () => {
    const pdev = device();
    pdev.runtimePm.callbacks = {
      suspend: () => {
        pdev.saveState();
        return 0;
      },
    };
    pdev.runtimePm.put();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 0]);
  });

  test('fails to resume when the machine says so, or when nothing answers', () => {
    const refused = device({ resume: () => EIO });
    refused.runtimePm.callbacks = {};
    refused.runtimePm.put();
    expect(refused.runtimePm.get()).toBe(EIO);
    const gone = device();
    gone.runtimePm.callbacks = {};
    gone.runtimePm.put();
    gone.function.setPowered(false);
    expect(gone.runtimePm.get()).toBe(EIO);
    expect(gone.runtimePm.usage).toBe(0);
  });
});
