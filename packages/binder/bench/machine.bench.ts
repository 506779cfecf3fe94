import 'reflect-metadata';
import {
  Binder,
  MemoryJournal,
  MemoryLock,
  ModuleIndex,
  NO_LOADER,
  Planner,
  readHost,
  readUsage,
  registerBinder,
  type Target,
} from '@vfiokit/binder';
import { describeMachine, Machine } from '@vfiokit/host';
import { container } from 'tsyringe';

const GROUPS = 2000;
const MEMBERS = 5;

function address(at: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const [domain, rest] = [Math.floor(at / 2048), at % 2048];
  return `${hex(domain, 4)}:${hex(rest >> 8, 2)}:${hex((rest >> 3) & 0x1f, 2)}.${rest & 7}`;
}

async function seconds<T>(act: () => T | Promise<T>): Promise<[number, T]> {
  const start = process.hrtime.bigint();
  const result = await act();
  return [Number(process.hrtime.bigint() - start) / 1e9, result];
}

/** A machine of ten thousand functions in two thousand groups: put together, planned whole, bound whole. */
export async function bench(report: (line: string) => void): Promise<void> {
  const [described, machine] = await seconds(() => {
    const functions = Array.from({ length: GROUPS * MEMBERS }, (_, at) => ({
      at: address(at),
      ids: '8086:10d3',
      class: '020000',
      group: Math.floor(at / MEMBERS),
      express: false,
      bars: ['128K'],
    }));
    const modules = [{ name: 'e1000e', drivers: [{ name: 'e1000e', ids: ['8086:10d3'] }] }];
    return new Machine(
      describeMachine({
        name: 'large',
        architecture: 'x86_64',
        kernel: '7.2.12',
        functions,
        modules,
      }),
    );
  });
  const own = container.createChildContainer();
  registerBinder(own);
  const planner = own.resolve(Planner);
  const [planned, targets] = await seconds(async () => {
    const host = await readHost(machine.sysfs);
    const input = {
      host,
      index: await ModuleIndex.read(machine.sysfs, '7.2.12'),
      usage: await readUsage(machine.sysfs, host),
    };
    const groups: Target[][] = [];
    for (const [first] of host.groups.values())
      groups.push([
        ...planner.plan(first!, input, {
          policy: 'alias-best-match',
          mode: 'strict',
          wholeGroup: true,
        }).targets,
      ]);
    return groups;
  });
  let id = 0;
  const binder = new Binder(machine.sysfs, {
    journal: new MemoryJournal(),
    lock: new MemoryLock(),
    loader: NO_LOADER,
    creator: 'bench',
    now: () => '2026-01-01T00:00:00Z',
    newId: () => {
      id += 1;
      return `b${id}`;
    },
    pause: () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()),
    holders: async () => [],
  });
  const [bound, states] = await seconds(async () => {
    const results = [];
    for (const group of targets) results.push((await binder.bind(group)).state);
    return results;
  });
  const committed = states.filter((state) => state === 'committed').length;
  report(
    `a machine of ${GROUPS * MEMBERS} functions in ${GROUPS} groups: ${(described + planned + bound).toFixed(1)} s ` +
      `(put together ${described.toFixed(1)}, read and planned ${planned.toFixed(1)}, bound ${bound.toFixed(1)}; ${committed} groups committed)`,
  );
}
