import type { OpenedFunction } from '@vfiokit/core';

/** How an access is made, so many times. */
export type Run = (device: OpenedFunction['device'], calls: number) => void;

const CALLS = 200_000;
const ROUNDS = 25;
const CONFIG = 7;

/** What reads amount to. As memory of the registers' own kind, it keeps engines from reading once for a whole loop. */
const sink = new Uint32Array(8);

export const configRead =
  (offset: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) sink[i & 7]! ^= device.read(CONFIG, offset, 4);
  };
export const configWrite =
  (offset: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) device.write(CONFIG, offset, 4, i);
  };
export const barRead =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) sink[i & 7]! ^= device.read(bar, (i & 0xff) << 2, 4);
  };
export const barWrite =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 1) device.write(bar, (i & 0xff) << 2, 4, i);
  };
const page = new Uint8Array(4096);
export const barPage =
  (bar: number): Run =>
  (device, calls) => {
    for (let i = 0; i < calls; i += 256) device.pread(page, bar * 2 ** 40);
  };

/** Two devices in turn, so that what else the machine does hits both; the median of the rounds' ratios. */
export function ratio(plain: OpenedFunction, derived: OpenedFunction, run: Run): number {
  const time = ({ device }: OpenedFunction) => {
    const start = performance.now();
    run(device, CALLS);
    return performance.now() - start;
  };
  const ratios = Array.from({ length: ROUNDS }, (_, round) => {
    // Who goes first changes, as the first one may find caches cold.
    if (round % 2 === 0) {
      const floor = time(plain);
      return time(derived) / floor;
    }
    const spent = time(derived);
    return spent / time(plain);
  });
  const counted = ratios.slice(5).sort((a, b) => a - b);
  return counted[counted.length >> 1]!;
}
