import { main as addedRegion } from '@vfiokit/example-added-region';
import { Counters, main as migratableDevice } from '@vfiokit/example-migratable-device';
import { main as platformHook } from '@vfiokit/example-platform-hook';
import { main as registerOverride, sensor } from '@vfiokit/example-register-override';
import { counter, main as servedDerivedDriver } from '@vfiokit/example-served-derived-driver';
import { main as servedDevice } from '@vfiokit/example-served-device';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig, describeMigration, describeOverride, StubOpening } from '@vfiokit/testing';
import { expect, it } from 'vitest';

/** What an example prints. */
function output(main: (print: (line: string) => void) => void): string[] {
  const lines: string[] = [];
  main((line) => lines.push(...line.split('\n')));
  return lines;
}

it('added-region shows a firmware log at index 9', () => {
  expect(output(addedRegion)).toEqual([
    "0000:00:03.0: 10 regions, nine of them every device's",
    'region 9: 30 bytes of type 0x80001234, subtype 1',
    'boot: ok',
    'link: up, 100 Gbit/s',
  ]);
});

it('register-override changes two registers and leaves their neighbours', () => {
  expect(output(registerOverride)).toEqual([
    '                        vfio-pci  sensor-vfio-pci',
    'temperature, BAR 0      0         42',
    'the register beside it  0         0',
    'revision                1         129',
  ]);
});

const OVERRIDES = { 'register-override': sensor, 'served-derived-driver': counter };
for (const [name, override] of Object.entries(OVERRIDES))
  describeOverride(name, () => {
    const config = buildConfig({ vendor: 0x1234, device: 0x0002 });
    const pdev = new PciTopology().add('0000:00:03.0', { config });
    return { override, device: new StubOpening(pdev), regions: [0] };
  });

it('migratable-device moves its counters, and what they counted while they were copied', () => {
  expect(output(migratableDevice)).toEqual([
    "running: 21 bytes; source's counter: 1000, target's: 0",
    "stopped: 21 bytes; source's counter: 1234, target's: 0",
    "moved; target's: 1234, RUNNING",
  ]);
});

const NOTHING_FAILS = 'nothing that the counters ask for can fail';
describeMigration(
  'migratable-device',
  () => {
    const registers = new Uint8Array(16);
    return {
      ops: new Counters(registers),
      fill: () => registers.set([1, 2, 3, 4], 8),
      snapshot: () => [...registers],
    };
  },
  {
    'is what it was at the source, and runs again, wherever something fails': NOTHING_FAILS,
    'keeps its own state or takes all of the new one at the target wherever something fails':
      NOTHING_FAILS,
  },
);

it('platform-hook meters every device of the machine', () => {
  expect(output(platformHook)).toEqual([
    '0000:00:03.0: capability 0x7001: 2 of 2 in use',
    '0000:00:04.0: capability 0x7001: 2 of 2 in use',
    '0000:00:05.0: the platform refused to open it',
  ]);
});

it('served-device copies only where there is a guest', () => {
  expect(output(servedDevice)).toEqual([
    'id 0x54494b56, scratch 0x1234',
    'memory 0x600d',
    'without a guest a copy fails: status 0x10e',
  ]);
});

it('served-derived-driver counts reads and shows a note', async () => {
  const lines: string[] = [];
  await servedDerivedDriver((line) => lines.push(line));
  expect(lines).toEqual(['register: 1, again: 2', 'a region that the hardware does not have']);
});
