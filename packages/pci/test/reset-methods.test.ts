import { describe, expect, test } from 'vitest';
import { PciTopology, type ResetMethod } from '../src/index.js';
import { AF, Analyser, configOf, EXPRESS, FULL, PM } from './helpers.js';

const EAGAIN = -11;
const EIO = -5;
const ENOTTY = -25;

const method = (name: string, result: number, calls: string[] = []): ResetMethod => ({
  name,
  probe: () => 0,
  reset: () => {
    calls.push(name);
    return result;
  },
});

function methodsOf(config: Uint8Array, options = {}): string {
  const device = new PciTopology().add('0000:00:03.0', { config }, options);
  return device.resetMethods.map(({ name }) => name).join(' ');
}

function traced(config: Uint8Array, options = {}, platform = {}) {
  const analyser = new Analyser();
  const topology = new PciTopology({ platform: analyser.platform(platform) });
  const device = topology.add('0000:00:03.0', { config }, options);
  analyser.take();
  return { analyser, device, topology };
}

describe('reset methods', () => {
  test('are found by probing, in the order of the kernel', () => {
    expect(methodsOf(FULL)).toBe('flr af_flr pm');
    expect(methodsOf(configOf({ capabilities: [PM] }))).toBe('pm');
    expect(methodsOf(configOf())).toBe('');
  });

  test('need what they are about', () => {
    const noFlr = { ...EXPRESS, body: [2, 0] };
    const noTransactions = { ...AF, body: [6, 2, 0, 0] };
    const keepsRegisters = { ...PM, body: [3, 0, 8, 0] };
    expect(methodsOf(configOf({ capabilities: [keepsRegisters, noFlr, noTransactions] }))).toBe('');
  });

  test('are what quirks leave of them', () => {
    expect(methodsOf(FULL, { quirks: { noFlr: true, noPmReset: true } })).toBe('');
  });

  test('are those that are named, in that order', () => {
    expect(methodsOf(FULL, { resetMethods: ['pm', 'flr'] })).toBe('pm flr');
  });

  test('of the machine come before those of the function', () => {
    const platform = {
      resetMethod: (_: unknown, name: string) =>
        name === 'acpi' || name === 'device_specific' ? method(name, 0) : undefined,
    };
    const { device } = traced(configOf({ capabilities: [PM] }), {}, platform);
    expect(device.resetMethods.map(({ name }) => name)).toEqual(['device_specific', 'acpi', 'pm']);
  });
});

describe('a bare reset', () => {
  test('[core:C6.19] tries the next method after ENOTTY', () => {
    const calls: string[] = [];
    const platform = {
      resetMethod: (_: unknown, name: string) => method(name, name === 'one' ? ENOTTY : 0, calls),
    };
    const { device } = traced(configOf(), { resetMethods: ['one', 'two', 'three'] }, platform);
    expect(device.resetFunctionLocked()).toBe(0);
    expect(calls).toEqual(['one', 'two']);
  });

  test('[core:C6.19] ends with any other error', () => {
    const calls: string[] = [];
    const platform = {
      resetMethod: (_: unknown, name: string) => method(name, name === 'one' ? EIO : 0, calls),
    };
    const { device } = traced(configOf(), { resetMethods: ['one', 'two'] }, platform);
    expect(device.resetFunctionLocked()).toBe(EIO);
    expect(calls).toEqual(['one']);
  });

  test('is ENOTTY where no method is left, or an unknown one is named', () => {
    expect(traced(configOf()).device.resetFunctionLocked()).toBe(ENOTTY);
    const { device } = traced(configOf(), { resetMethods: ['cxl_bus'] });
    expect(device.resetFunctionLocked()).toBe(ENOTTY);
  });

  test('by FLR waits for transactions and sets the bit', () => {
    const { analyser, device } = traced(configOf({ capabilities: [EXPRESS] }));
    expect(device.resetFunctionLocked()).toBe(0);
    expect(analyser.take()).toMatch(/R16@9a R16@98 W16@98=8000 R32@4$/);
  });

  test('by AF writes its control byte', () => {
    const { analyser, device } = traced(configOf({ capabilities: [AF] }));
    expect(device.resetFunctionLocked()).toBe(0);
    expect(analyser.take()).toMatch(/R16@d4 W8@d4=01 R32@4$/);
  });

  test('by PM goes through D3hot', () => {
    const { analyser, device } = traced(configOf({ capabilities: [PM] }));
    expect(device.resetFunctionLocked()).toBe(0);
    expect(analyser.take()).toMatch(/W16@44=0003 W16@44=0000 R32@4$/);
  });

  test('by PM is EINVAL outside D0', () => {
    const { device } = traced(configOf({ capabilities: [PM] }));
    device.setPowerState(3);
    expect(device.resetFunctionLocked()).toBe(-22);
  });
});

describe('a function reset', () => {
  test('is ENOTTY without a method', () => {
    expect(traced(configOf()).device.tryResetFunction()).toBe(ENOTTY);
  });

  test('is EAGAIN while the lock is held, here or elsewhere', () => {
    const { device } = traced(FULL);
    expect(device.tryLock()).toBe(true);
    expect(device.tryLock()).toBe(false);
    expect(device.tryResetFunction()).toBe(EAGAIN);
    device.unlock();
    expect(device.tryResetFunction()).toBe(0);
    expect(traced(FULL, {}, { lockHeld: () => true }).device.tryResetFunction()).toBe(EAGAIN);
  });

  test('leaves configuration space as it was, and the lock free', () => {
    const { device } = traced(FULL);
    device.enable();
    device.config.write(0x3c, 1, 7);
    const before = device.function.config.bytes.slice();
    expect(device.tryResetFunction()).toBe(0);
    expect(device.function.config.bytes).toEqual(before);
    expect(device.tryLock()).toBe(true);
  });

  test('[core:C6.20] switches everything off in between', () => {
    const seen: number[] = [];
    const platform = {
      resetMethod: () => ({
        name: 'acpi',
        probe: () => 0,
        reset: (device: { config: { read(offset: number, size: number): number } }) => {
          seen.push(device.config.read(4, 2));
          return 0;
        },
      }),
    };
    const { device } = traced(FULL, { resetMethods: ['acpi'] }, platform);
    device.enable();
    device.tryResetFunction();
    expect(seen).toEqual([0x0400]);
  });

  test('tells the driver before and after, also if it fails', () => {
    const platform = { resetMethod: (_: unknown, name: string) => method(name, EIO) };
    const { device } = traced(FULL, { resetMethods: ['acpi'] }, platform);
    const calls: string[] = [];
    device.resetHooks = { prepare: () => calls.push('prepare'), done: () => calls.push('done') };
    expect(device.tryResetFunction()).toBe(EIO);
    expect(calls).toEqual(['prepare', 'done']);
  });

  test('brings a function back to D0', () => {
    const { device } = traced(FULL);
    device.setPowerState(3);
    expect(device.tryResetFunction()).toBe(0);
    expect([device.currentState, device.function.powerState]).toEqual([0, 0]);
  });

  test('keeps interrupts working', () => {
    const { device } = traced(FULL, { resources: undefined });
    device.setMaster(true);
    device.allocIrqVectors('msi', 2);
    let got = 0;
    device.connectVector(1, () => {
      got += 1;
    });
    device.tryResetFunction();
    device.function.raise(1);
    expect(got).toBe(1);
  });
});
