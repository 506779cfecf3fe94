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
  const { machine, binder } = stage;
  const [first = ''] = devices;
  const user = machine.open(devices, VMM, GUEST);
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
  const group = machine.group(first)!;
  const openChapter: Chapter = {
    name: 'open',
    title: `A guest opens /dev/vfio/${group.id} and both devices; its DMA goes through: ${group.domain.name}`,
    lines: table(rows),
    facts: {
      pid: user.pid,
      guest: GUEST,
      domain: group.domain.name,
      devices: opened.map(({ name, regions, interrupts }) => ({ name, regions, interrupts })),
    },
    good: opened.length === devices.length,
  };

  const from = stage.writes.length;
  const [refused] = await binder.release();
  const written = stage.writes.length - from;
  const client = new DeviceClient(user.device, user.process);
  const requests = { count: 0 };
  client.setIrqs({
    index: VFIO_PCI_REQ_IRQ_INDEX,
    eventfds: [
      new EventFd(() => {
        requests.count += 1;
      }),
    ],
  });
  const unbinding = stage.opened.sysfs.write('/sys/bus/pci/drivers/vfio-pci/unbind', first);
  const waited = await stillPending(unbinding, () => machine.clock.advance(PATIENCE * 1000));
  const refusal: Chapter = {
    name: 'refusal',
    title: `$ vfiokit unbind ${first}    # while the guest runs`,
    lines: [
      ...(refused?.failures ?? []).map(({ message }) => colors.yellow(message)),
      `Nothing was changed: ${written} writes. The kernel itself would not refuse: the same unbind by hand`,
      `waits, after ${PATIENCE} s still does, and has asked the guest for its device ${requests.count} times by then.`,
    ],
    facts: {
      state: refused?.state,
      failures: refused?.failures,
      written,
      requests: requests.count,
    },
    good: refused?.state === 'in-use' && written === 0 && waited,
  };

  user[Symbol.dispose]();
  await unbinding;
  const [released] = await binder.release();
  const after = await stage.snapshot();
  const different = differences(before, after);
  const restored: Chapter = {
    name: 'restore',
    title: '$ vfiokit restore    # the guest has gone',
    lines: [
      different.length === 0
        ? colors.green(
            `${released?.state}: all ${after.size} files and links that binding touches read as they did at the start.`,
          )
        : colors.red(`${released?.state}: ${different.length} differ: ${different.join(', ')}`),
    ],
    facts: { state: released?.state, files: after.size, different },
    good: released?.state === 'released' && different.length === 0,
  };
  return [openChapter, refusal, restored];
}

/** Whether something still waits after what was to happen has happened. */
async function stillPending(waiting: Promise<unknown>, happen: () => void): Promise<boolean> {
  const done = waiting.then(() => false);
  await new Promise(setImmediate);
  happen();
  return Promise.race([done, new Promise<boolean>((resolve) => setImmediate(resolve, true))]);
}
