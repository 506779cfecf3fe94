import { DeviceClient, type MigrationFile } from '@vfiokit/uapi';
import { inspectDevice } from '../inspect/inspection.js';
import type { Palette } from '../io.js';
import { size, table } from '../output.js';
import type { Chapter } from './chapter.js';
import { differences, type Stage } from './stage.js';

const CHUNK = 1 << 16;

/** What the driver that a policy chose can do that plain vfio-pci can't: a device's state moves to another device. */
export async function variantChapter(
  stage: Stage,
  [source, target]: readonly [string, string],
  { green, red }: Palette,
): Promise<Chapter> {
  const { machine, binder, opened } = stage;
  const before = await stage.snapshot();
  const plain = await featuresWith(stage, source, 'vfio-pci');
  const targets = [source, target].flatMap((device) => stage.targets(device));
  const bound = await binder.bind(targets);
  const driver = await driverOf(stage, source);
  const users = [
    machine.open(source, 'qemu-system-x86', 'web'),
    machine.open(target, 'qemu-system-x86', 'web'),
  ] as const;
  const variant = inspectDevice(users[0].device, users[0].process).features;
  const [from, to] = users.map(({ device, process }) => new DeviceClient(device, process));
  const image = readAll(from!.setMigrationState('STOP_COPY')!);
  const resuming = to!.setMigrationState('RESUMING')!;
  resuming.write(image);
  to!.setMigrationState('RUNNING');
  const state = to!.migrationState();
  for (const user of users) user[Symbol.dispose]();
  const [released] = await binder.release();
  const different = differences(before, await stage.snapshot()).filter(
    // A module that was loaded stays, as it does on a kernel.
    (path) =>
      !path.startsWith('/sys/bus/pci/drivers/') &&
      !path.startsWith('/sys/module/') &&
      path !== '/proc/modules',
  );
  const gained = variant
    .filter((feature) => !plain.includes(feature))
    .map((text) => text.replace(/ \(.*/, ''));
  const good =
    bound.state === 'committed' &&
    state === 'RUNNING' &&
    released?.state === 'released' &&
    different.length === 0;
  const paint = good ? green : red;
  return {
    name: 'variant',
    title: `A described machine, ${opened.name}: two VFs go to ${driver}, as most policies said`,
    lines: [
      ...table([
        ['more than vfio-pci', gained.slice(0, 3).join(', ')],
        ...(gained.length > 3 ? [['', gained.slice(3).join(', ')]] : []),
        [
          'live migration',
          paint(
            `${size(image.length)} of state move from ${source} to ${target}, which is ${state}`,
          ),
        ],
        [
          'given back',
          paint(
            different.length === 0
              ? `${released?.state}; every file reads as before, but for the module, which stays loaded`
              : `${released?.state}; ${different.join(', ')} differ`,
          ),
        ],
      ]),
    ],
    facts: { driver, features: variant, gained, image: image.length, state, different },
    good,
  };
}

/** What a device offers its user under a driver; it is given back before this returns. */
async function featuresWith(
  stage: Stage,
  device: string,
  driver: string,
): Promise<readonly string[]> {
  const [target] = stage.targets(device);
  await stage.binder.bind([{ device, driver, before: target!.before }]);
  const user = stage.machine.open(device);
  const { features } = inspectDevice(user.device, user.process);
  user[Symbol.dispose]();
  await stage.binder.release();
  return features;
}

async function driverOf(stage: Stage, device: string): Promise<string> {
  const link = await stage.opened.sysfs.readLink(`/sys/bus/pci/devices/${device}/driver`);
  return String(link).split('/').at(-1)!;
}

function readAll(file: MigrationFile): Uint8Array {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(CHUNK);
    const count = file.read(part);
    if (count <= 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, count));
  }
}
