import { cNumberAt } from '@vfiokit/driver-model';
import * as v from 'valibot';
import { parseApqn } from '../../arch/apqn.js';
import type { Assignable } from '../../passthrough/assignable.js';

// Scenarios are read with every scalar as a text, so that 05.0004 is a queue and not a number.

export const text = v.string();

/** A number as C writes it: `71` or `0x47`. */
export const number = v.pipe(
  v.string(),
  v.check((value) => cNumberAt(value, 0)?.end === value.length, 'no number; write 71 or 0x47'),
  v.transform((value) => Number(cNumberAt(value, 0)!.value)),
);

/** A queue as its device is named. */
export const queue = v.pipe(
  v.string(),
  v.check((value) => parseApqn(value) !== undefined, 'no queue; write 05.0047'),
  v.transform((value) => parseApqn(value)!),
);

/** The number of an adapter or a domain. */
export const id = v.pipe(number, v.maxValue(255, 'numbers of adapters and domains end at 255'));

/** One number or a list. */
export const ids = v.union([
  v.array(id),
  v.pipe(
    id,
    v.transform((one) => [one]),
  ),
]);

export const flag = v.pipe(
  v.picklist(['true', 'false', 'on', 'off', 'yes', 'no'], 'write yes or no'),
  v.transform((value) => value === 'true' || value === 'on' || value === 'yes'),
);

const some = v.optional(ids, []);

/** Adapters and domains. */
export const dimensions = v.strictObject({ adapters: some, domains: some });

/** What is assigned to a matrix. */
export const assignment = v.strictObject({
  matrix: text,
  adapters: some,
  domains: some,
  control_domains: some,
});

/** Numbers of each kind. */
export interface Numbers {
  readonly adapters: readonly number[];
  readonly domains: readonly number[];
  readonly control_domains?: readonly number[];
}

/** Does something with each adapter and each domain. */
export function forEachDimension(
  { adapters, domains }: Numbers,
  act: (what: 'adapter' | 'domain', n: number) => void,
): void {
  for (const n of adapters) act('adapter', n);
  for (const n of domains) act('domain', n);
}

/** Does something with each number. */
export function forEachOf(numbers: Numbers, act: (what: Assignable, n: number) => void): void {
  forEachDimension(numbers, act);
  for (const n of numbers.control_domains ?? []) act('control_domain', n);
}

/** The numbers in words: `adapters 5, 6 and domain 0x47`. */
export function inWords({ adapters, domains, control_domains = [] }: Numbers): string {
  const parts = [
    ...listed('adapter', adapters),
    ...listed('domain', domains),
    ...listed('control domain', control_domains),
  ];
  return parts.join(' and ') || 'nothing';
}

function listed(noun: string, numbers: readonly number[]): string[] {
  if (numbers.length === 0) return [];
  return [`${noun}${numbers.length === 1 ? '' : 's'} ${numbers.map(shown).join(', ')}`];
}

/** A number as people write it who deal with masks: hex where it makes a difference. */
export function shown(n: number): string {
  return n < 10 ? String(n) : `0x${n.toString(16)}`;
}
