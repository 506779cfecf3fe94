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
  const { binder, opened } = stage;
  const before = await stage.snapshot();
  const plain = await featuresWith(stage, source, 'vfio-pci');
  const targets = [source, target].flatMap((device) => stage.targets(device));
  const bound = await binder.bind(targets);
  const driver = await driverOf(stage, source);
  const { features, image, state } = migrate(stage, source, target);
  const [released] = await binder.release();
  // A module that was loaded stays, as it does on a kernel.
  const loaded = new RegExp(
    `^(?:/sys/bus/pci/drivers/${driver}/|/sys/module/${driver}/|/proc/modules$)`,
  );
  const different = differences(before, await stage.snapshot()).filter(
    (path) => !loaded.test(path),
  );
  const gained = features
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
    title: `A described machine, ${opened.name}: two VFs go to ${driver}, whose alias is the narrowest`,
    lines: [
      ...table([
        ['more than vfio-pci', gained.slice(0, 3).join(', ')],
        ...(gained.length > 3 ? [['', gained.slice(3).join(', ')]] : []),
        [
          'live migration',
          paint(`${size(image)} of state move from ${source} to ${target}, which is ${state}`),
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
    facts: { driver, features, gained, image, state, different },
    good,
  };
}

/** Opens both devices and takes the state of one over to the other. */
function migrate(
  { machine }: Stage,
  source: string,
  target: string,
): { readonly features: readonly string[]; readonly image: number; readonly state: string } {
  using one = machine.open(source);
  using other = machine.open(target);
  const { features } = inspectDevice(one.device, one.process);
  using from = new DeviceClient(one.device, one.process);
  using to = new DeviceClient(other.device, other.process);
  const image = readAll(from.setMigrationState('STOP_COPY')!);
  to.setMigrationState('RESUMING')!.write(image);
  to.setMigrationState('RUNNING');
  return { features, image: image.length, state: to.migrationState() };
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
