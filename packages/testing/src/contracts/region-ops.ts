import type { RegionOps } from '@vfiokit/core';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';
import { alignedSweep, places, sweep } from './sweep.js';

/** A region under test, made anew for every case. */
export interface RegionOpsSubject {
  readonly ops: RegionOps;
  /** Bytes. */
  readonly size: number;
  /** Whether a user may write it. */
  readonly writable: boolean;
  /** Where reads have no side effect and return what was written; all of it if absent. */
  readonly plain?: readonly (readonly [offset: number, length: number])[];
}

const SIZES = [1, 2, 4] as const;
const INDEX = 9;
const POSITION = INDEX * 2 ** 40;

/** The contract of {@link RegionOps}: what the core relies on when it shows a driver's region at index 9 and up. */
export function describeRegionOps(
  name: string,
  make: () => RegionOpsSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a device region`, regionOpsCases(make), declines);
}

/** The cases by title, to be run by {@link describeRegionOps}. */
export function regionOpsCases(make: () => RegionOpsSubject): ContractCases {
  return {
    'answers every aligned access with an unsigned value or a negated errno'() {
      const { ops, size } = make();
      for (const width of SIZES) {
        const isAnswer = (value: number) =>
          Number.isInteger(value) && value > -4096 && value < 2 ** (8 * width);
        const wrong = alignedSweep(size, width).filter((at) => !isAnswer(ops.read(at, width)));
        expect(places(wrong), `reads of ${width} with another answer`).toBe('');
      }
    },
    'reads the same bytes at every width'() {
      const { ops, size } = make();
      const wrong = alignedSweep(size, 4).filter((at) => {
        const whole = ops.read(at, 4);
        const words = [ops.read(at, 2), ops.read(at + 2, 2)] as const;
        const bytes = [0, 1, 2, 3].map((i) => ops.read(at + i, 1));
        if (whole < 0) return false;
        const agree = words[0] + words[1] * 0x10000 === whole;
        return !agree || bytes.reduceRight((value, byte) => value * 256 + byte, 0) !== whole;
      });
      expect(places(wrong), 'reads of 4 that are not what narrower ones are').toBe('');
    },
    'keeps what was written, or refuses and keeps what was there'() {
      const { ops, size, writable, plain = [[0, size]] } = make();
      const odd: number[] = [];
      const wrong = plain.flatMap(([from, length]) =>
        sweep(length)
          .map((offset) => from + offset)
          .filter((at) => {
            const before = ops.read(at, 1);
            const result = ops.write(at, 1, 0x5a);
            const after = ops.read(at, 1);
            if (!(result === 0 || (result < 0 && result > -4096))) odd.push(at);
            // What can't be read can't be compared.
            return before >= 0 && after !== (writable && result >= 0 ? 0x5a : before);
          }),
      );
      expect(places(odd), 'a write answers neither 0 nor a negated errno').toBe('');
      expect(places(wrong), 'a write is neither kept nor refused').toBe('');
    },
    'does not throw for whole transfers at and beyond its end'(skip) {
      const { ops, size } = make();
      const transfer = ops.transfer?.bind(ops);
      if (transfer === undefined) return skip('it has no transfers of its own');
      for (const offset of [size - 1, size, size + 1, size * 2])
        for (const isWrite of [false, true]) {
          const count = transfer(new Uint8Array(8), POSITION + offset, isWrite);
          expect(count).toBeLessThanOrEqual(Math.max(0, size - offset));
        }
    },
    'transfers the bytes that single reads see'(skip) {
      const { ops, size } = make();
      const transfer = ops.transfer?.bind(ops);
      if (transfer === undefined) return skip('it has no transfers of its own');
      const length = Math.min(size, 0x1000);
      const bytes = new Uint8Array(length);
      expect(transfer(bytes, POSITION, false)).toBe(length);
      expect([...bytes]).toEqual([...bytes.keys()].map((at) => ops.read(at, 1)));
    },
    'can be released'() {
      const { ops } = make();
      expect(() => ops.release?.()).not.toThrow();
    },
  };
}
