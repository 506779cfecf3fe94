import 'reflect-metadata';
import { openFunction } from '@vfiokit/core';
import { describeAdapter, plug } from './functions.js';
import { nanoseconds, usedBytes } from './measure.js';

const DEVICES = 10_000;

/** Opening a device with 4 KiB of configuration space, and holding many open at once. */
export function bench(report: (line: string) => void): void {
  const opened = openFunction(plug(describeAdapter()));
  const { device, group, process } = opened;
  device.close();
  // Group and container stay, as for a VMM whose guest starts again.
  const open = nanoseconds(300, (calls) => {
    for (let i = 0; i < calls; i += 1) group.getDevice(device.name, process).close();
  });
  report(
    `open and close, 4 KiB of configuration space  ${(open / 1000).toFixed(0)} us   [at most 200]`,
  );

  const before = usedBytes();
  const all = Array.from({ length: DEVICES }, () => openFunction(plug(describeAdapter())));
  const bytes = usedBytes() - before;
  report(
    `${DEVICES} devices open, each in a machine of its own  ${(bytes / 2 ** 20).toFixed(0)} MiB   [at most 1024]`,
  );
  for (const other of all) other[Symbol.dispose]();
  opened[Symbol.dispose]();
}
