import { type JournalStore, MemoryJournal } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';
import { A, G, H, testbed, V } from './testbed.js';

class Killed extends Error {}

/** Kills the process at its Nth step: before a write or an append, or right after it. */
function killer(at: number) {
  let step = 0;
  const live = () => {
    if (step > at) throw new Killed();
  };
  const once = async <T>(act: () => Promise<T>): Promise<T> => {
    live();
    step += 1;
    if (step > at) throw new Killed();
    const result = await act();
    step += 1;
    if (step > at) throw new Killed();
    return result;
  };
  const sysfs = (tree: Sysfs): Sysfs => ({
    kind: tree.kind,
    read: async (path) => {
      live();
      return tree.read(path);
    },
    list: async (path) => {
      live();
      return tree.list(path);
    },
    readLink: async (path) => {
      live();
      return tree.readLink(path);
    },
    write: (path, data) => once(() => tree.write(path, data)),
  });
  const journal = (store: JournalStore): JournalStore => ({
    create: (id, line) => once(() => store.create(id, line)),
    append: (id, line) => once(() => store.append(id, line)),
    archive: (id) => once(() => store.archive(id)),
    read: async (id) => {
      live();
      return store.read(id);
    },
    list: async () => {
      live();
      return store.list();
    },
  });
  return { sysfs, journal, steps: () => step };
}

const DEVICES = [A, G, H, V];

async function setUp() {
  const bed = testbed();
  await bed.write(`devices/${V}/driver_override`, 'foo');
  await bed.write('drivers/vfio-pci/new_id', '10de 2204');
  const before = await Promise.all(DEVICES.map((name) => bed.live(name)));
  return { ...bed, before, now: () => Promise.all(DEVICES.map((name) => bed.live(name))) };
}

type Bed = Awaited<ReturnType<typeof setUp>>;

/** Runs something that is killed at a step; how many steps it has if it is not. */
async function killedAt(
  bed: Bed,
  at: number,
  run: (binder: ReturnType<Bed['binder']>) => Promise<unknown>,
) {
  const { sysfs, journal, steps } = killer(at);
  const binder = bed.binder({ journal: journal(bed.journal) }, sysfs(bed.sysfs));
  try {
    await run(binder);
    return steps();
  } catch (error) {
    if (error instanceof Killed) return undefined;
    throw error;
  }
}

const plan = async (bed: Bed) => [
  await bed.target(A, 'vfio-pci'),
  await bed.target(H, 'vfio-pci'),
  await bed.target(V, 'mlx5_vfio_pci'),
];

/** Recovers twice: the second time nothing is left to do. */
async function recoverTwice(bed: Bed) {
  await bed.binder().recover();
  const once = await bed.now();
  expect(await bed.binder().recover()).toEqual([]);
  expect(await bed.now()).toEqual(once);
  return once;
}

describe('a process that is killed', () => {
  test('[binding:215] at any step of a bind leaves what recovery takes back, or what was done', async () => {
    const whole = (await killedAt(await setUp(), Number.POSITIVE_INFINITY, async (binder) =>
      binder.bind(await plan(await setUp())),
    ))!;
    expect(whole).toBeGreaterThan(30);
    for (let at = 0; at < whole; at += 1) {
      const bed = await setUp();
      const targets = await plan(bed);
      await killedAt(bed, at, (binder) => binder.bind(targets));
      const committed = (await bed.binder().records()).some(({ state }) => state === 'committed');
      const after = await recoverTwice(bed);
      if (committed)
        expect(after.map(({ driver }) => driver)).toEqual([
          'vfio-pci',
          'vfio-pci',
          'vfio-pci',
          'mlx5_vfio_pci',
        ]);
      else expect(after).toEqual(bed.before);
    }
  });

  test('[binding:215] at any step of a bind that fails and is rolled back', async () => {
    const failing = async (bed: Bed) => [
      ...(await plan(bed)),
      await bed.target('0000:05:00.0', 'vfio-pci'),
    ];
    const first = await setUp();
    const targets = await failing(first);
    const whole = (await killedAt(first, Number.POSITIVE_INFINITY, (binder) =>
      binder.bind(targets),
    ))!;
    expect(await first.now()).toEqual(first.before);
    for (let at = 0; at < whole; at += 1) {
      const bed = await setUp();
      const again = await failing(bed);
      await killedAt(bed, at, (binder) => binder.bind(again));
      expect(await recoverTwice(bed)).toEqual(bed.before);
    }
  });

  test('[binding:215] at any step of a chain that goes on', async () => {
    const chained = async (bed: Bed) => [
      await bed.target(A, 'pci-stub', {
        alternatives: [{ driver: 'mlx5_vfio_pci' }, { driver: 'vfio-pci' }],
      }),
      await bed.target('0000:05:00.0', 'vfio-pci'),
    ];
    const first = await setUp();
    const targets = await chained(first);
    const whole = (await killedAt(first, Number.POSITIVE_INFINITY, (binder) =>
      binder.bind(targets),
    ))!;
    for (let at = 0; at < whole; at += 1) {
      const bed = await setUp();
      const again = await chained(bed);
      await killedAt(bed, at, (binder) => binder.bind(again));
      expect(await recoverTwice(bed)).toEqual(bed.before);
    }
  });

  test('[binding:215] at any step of a recovery', async () => {
    for (const broken of [9, 15, 21, 27]) {
      const halfway = async () => {
        const bed = await setUp();
        const targets = await plan(bed);
        await killedAt(bed, broken, (binder) => binder.bind(targets));
        return bed;
      };
      const whole = (await killedAt(await halfway(), Number.POSITIVE_INFINITY, (binder) =>
        binder.recover(),
      ))!;
      for (let at = 0; at < whole; at += 1) {
        const bed = await halfway();
        await killedAt(bed, at, (binder) => binder.recover());
        expect(await recoverTwice(bed)).toEqual(bed.before);
      }
    }
  });

  test('[binding:215] at any step of a release, after which releasing again finishes', async () => {
    const done = async () => {
      const bed = await setUp();
      await bed.binder().bind(await plan(bed));
      return bed;
    };
    const whole = (await killedAt(await done(), Number.POSITIVE_INFINITY, (binder) =>
      binder.release(),
    ))!;
    for (let at = 0; at < whole; at += 1) {
      const bed = await done();
      await killedAt(bed, at, (binder) => binder.release());
      await bed.binder().release();
      expect(await bed.now()).toEqual(bed.before);
    }
  });

  test('before the intent is written has done nothing', async () => {
    const bed = await setUp();
    const journal = new MemoryJournal();
    const targets = await plan(bed);
    await killedAt(bed, 0, (binder) => binder.bind(targets));
    expect(await journal.list()).toEqual([]);
    expect(await bed.now()).toEqual(bed.before);
  });
});
