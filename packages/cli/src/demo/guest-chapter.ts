import type { DeviceUser } from '@vfiokit/host';
import { DeviceClient, EventFd, VFIO_PCI_REQ_IRQ_INDEX } from '@vfiokit/uapi';
import { inspectDevice } from '../inspect/inspection.js';
import type { Palette } from '../io.js';
import { size, table } from '../output.js';
import type { Chapter } from './chapter.js';
import { differences, type Stage } from './stage.js';

const GUEST = 'desktop';
const VMM = 'qemu-system-x86_64';
/** Seconds that somebody waits who unbinds a device in use by hand. */
const PATIENCE = 20;

/**
 * A guest opens what was bound; it is not taken away from it; when the guest has gone everything is given back.
 *
 * @param before what every file read before anything was bound.
 */
export async function guestChapters(
  stage: Stage,
  devices: readonly string[],
  before: ReadonlyMap<string, string>,
  colors: Palette,
): Promise<readonly Chapter[]> {
  const user = stage.machine.open(devices, VMM, GUEST);
  const opened = openChapter(stage, user);
  const { chapter: refused, unbinding } = await refusalChapter(stage, user, colors);
  user[Symbol.dispose]();
  await unbinding;
  return [opened, refused, await restoreChapter(stage, before, colors)];
}

/** What the guest finds when it opens its devices. */
function openChapter(stage: Stage, user: DeviceUser): Chapter {
  const opened = user.devices.map((device) => inspectDevice(device, user.process));
  const rows = opened.map(({ name, regions, interrupts }) => [
    name,
    regions
      .filter((region) => region.size > 0)
      .map((region) => `${region.name} ${size(region.size)}`)
      .join(', '),
    interrupts
      .filter(({ count }) => count > 0)
      .map(({ name: kind, count }) => `${count} ${kind}`)
      .join(', '),
  ]);
  const group = stage.machine.group(user.device.name)!;
  const domain = group.domain.name;
  return {
    name: 'open',
    title: `A guest opens /dev/vfio/${group.id} and both devices; its DMA goes through: ${domain}`,
    lines: table(rows),
    facts: {
      pid: user.pid,
      guest: GUEST,
      domain,
      devices: opened.map(({ name, regions, interrupts }) => ({ name, regions, interrupts })),
    },
    good: opened.every(({ regions }) => regions.some((region) => region.size > 0)),
  };
}

/** What becomes of an attempt to take a device away while the guest runs: ours, and one by hand, which is left waiting. */
async function refusalChapter(
  { binder, machine, opened, writes }: Stage,
  user: DeviceUser,
  { yellow }: Palette,
): Promise<{ readonly chapter: Chapter; readonly unbinding: Promise<unknown> }> {
  const device = user.device.name;
  const from = writes.length;
  const [refused] = await binder.release();
  const written = writes.length - from;
  let requests = 0;
  const eventfd = new EventFd(() => {
    requests += 1;
  });
  new DeviceClient(user.device, user.process).setIrqs({
    index: VFIO_PCI_REQ_IRQ_INDEX,
    eventfds: [eventfd],
  });
  const unbinding = opened.sysfs.write('/sys/bus/pci/drivers/vfio-pci/unbind', device);
  const waited = await stillPending(unbinding, () => machine.clock.advance(PATIENCE * 1000));
  const failures = refused?.failures ?? [];
  return {
    unbinding,
    chapter: {
      name: 'refusal',
      title: `$ vfiokit unbind ${device}    # while the guest runs`,
      lines: [
        ...failures.map(({ message }) => yellow(message)),
        `Nothing was changed: ${written} writes. The kernel itself would not refuse: the same unbind by hand`,
        `waits, after ${PATIENCE} s still does, and has asked the guest for its device ${requests} times by then.`,
      ],
      facts: { state: refused?.state, failures, written, requests },
      good: refused?.state === 'in-use' && written === 0 && waited,
    },
  };
}

/** What is left of it all when everything was given back. */
async function restoreChapter(
  stage: Stage,
  before: ReadonlyMap<string, string>,
  { green, red }: Palette,
): Promise<Chapter> {
  const [released] = await stage.binder.release();
  const after = await stage.snapshot();
  const different = differences(before, after);
  const same = different.length === 0;
  return {
    name: 'restore',
    title: '$ vfiokit restore    # the guest has gone',
    lines: [
      same
        ? green(
            `${released?.state}: all ${after.size} files and links that binding touches read as they did at the start.`,
          )
        : red(`${released?.state}: ${different.length} differ: ${different.join(', ')}`),
    ],
    facts: { state: released?.state, files: after.size, different },
    good: released?.state === 'released' && same,
  };
}

/** Whether something still waits after what was to happen has happened. */
async function stillPending(waiting: Promise<unknown>, happen: () => void): Promise<boolean> {
  const done = waiting.then(() => false);
  await new Promise(setImmediate);
  happen();
  return Promise.race([done, new Promise<boolean>((resolve) => setImmediate(resolve, true))]);
}
