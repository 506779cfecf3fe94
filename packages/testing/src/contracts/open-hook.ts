import type { OpenHook, OpeningDevice } from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A hook under test, made anew for every case. */
export interface OpenHookSubject {
  readonly hook: OpenHook;
  /** A device that it opens. */
  readonly device: OpeningDevice;
  /** A device that it refuses, if there are such. */
  readonly refused?: OpeningDevice;
  /** What it changes beyond itself, such as registers of the device or what the machine has registered. */
  state?(): unknown;
}

/** The contract of {@link OpenHook}: an open is over when it returns, and a close, or a refusal, takes all of it back. */
export function describeOpenHook(
  name: string,
  make: () => OpenHookSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as an open hook`, openHookCases(make), declines);
}

/** The cases by title, to be run by {@link describeOpenHook}. */
export function openHookCases(make: () => OpenHookSubject): ContractCases {
  return {
    'has opened the device when it returns'() {
      const { hook, device } = make();
      expect(open(hook, device).result).toBeUndefined();
    },
    'opens a device again after a close'() {
      const { hook, device } = make();
      for (let turn = 0; turn < 3; turn += 1)
        expect(() => open(hook, device).close()).not.toThrow();
    },
    'takes back what it changed when the device is closed'() {
      const { hook, device, state } = make();
      const before = structuredClone(state?.());
      open(hook, device).close();
      expect(state?.()).toEqual(before);
    },
    'refuses a device with an errno, and what it changed is taken back'(skip) {
      const { hook, refused, state } = make();
      if (refused === undefined) return skip('there is no device that it refuses');
      const before = structuredClone(state?.());
      const undos: (() => void)[] = [];
      expect(() => hook.open(noting(refused, undos))).toThrow(VfioError);
      close(undos);
      expect(state?.()).toEqual(before);
    },
  };
}

function open(hook: OpenHook, device: OpeningDevice) {
  const undos: (() => void)[] = [];
  // A hook written without types may return a promise, which nobody would wait for.
  const result: unknown = hook.open(noting(device, undos));
  return { result, close: () => close(undos) };
}

/** The same device, whose undos are noted. Its other methods run on itself, as what is private to it is there alone. */
function noting(device: OpeningDevice, undos: (() => void)[]): OpeningDevice {
  return new Proxy(device, {
    get(target, property) {
      if (property === 'defer') return (undo: () => void) => undos.push(undo);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What the core does at the last close. */
function close(undos: readonly (() => void)[]): void {
  for (const undo of [...undos].reverse()) undo();
}
