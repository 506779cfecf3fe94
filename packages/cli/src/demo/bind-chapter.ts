import { MemoryJournal, MemoryLock, readHost, type Target } from '@vfiokit/binder';
import { planOptions } from '../binding/plan-options.js';
import type { Palette } from '../io.js';
import { table } from '../output.js';
import type { Chapter } from './chapter.js';
import { Killed, Killer } from './killer.js';
import { differences, type Stage } from './stage.js';

const BUS = '/sys/bus/pci/';

/** A group bound as one transaction, before that the same killed at each of its steps. */
export async function bindChapter(
  stage: Stage,
  device: string,
  { green, red, dim }: Palette,
): Promise<Chapter> {
  const { input, planner } = stage.opened;
  const alone = planner.plan(device, input, planOptions({}));
  const targets = stage.targets(device, true);
  const crashes = await crashEverywhere(stage, targets);
  const from = stage.writes.length;
  const result = await stage.binder.bind(targets);
  const writes = stage.writes.slice(from);
  const { devices, groups } = await readHost(stage.opened.sysfs);
  const now = targets.map(({ device: name, before }) => {
    const { driver, vfioDevices } = devices.get(name)!;
    return { device: name, before: before.driver, driver: driver.value, vfioDevices };
  });
  const group = devices.get(device)!.group.value!;
  const good =
    alone.outcome === 'refused' &&
    result.state === 'committed' &&
    crashes.recovered === crashes.steps;
  const paint = good ? green : red;
  const rows = writes.map(({ path, bytes, answer }, index) => [
    `${index + 1}`,
    `${JSON.stringify(bytes)} > ${path.slice(BUS.length)}`,
    dim(answer < 0 ? `error ${-answer}` : `${answer} bytes taken`),
  ]);
  return {
    name: 'bind',
    title: `$ vfiokit bind ${device} --group    # ${groups.get(group)!.length} functions, one transaction`,
    lines: [
      `Alone it is ${alone.outcome}: ${(alone.refusal ?? '').replace(`${device}: `, '').replace(/;.*/, '')}.`,
      ...table(rows, { align: ['right'] }),
      paint(
        `${result.state}: ${now.map(({ device: name, driver, vfioDevices }) => `${name} → ${driver} (${vfioDevices.join()})`).join(', ')}`,
      ),
      `Killed right after each of its ${crashes.steps} steps in turn (writes, journal): recovered ${crashes.recovered} times of ${crashes.steps}.`,
    ],
    facts: { alone: alone.refusal, state: result.state, devices: now, writes, crashes },
    good,
  };
}

/** Binds until a step, is killed there, and recovers as the next process would: from the journal and what it finds. */
async function crashEverywhere(
  stage: Stage,
  targets: readonly Target[],
): Promise<{ steps: number; recovered: number }> {
  const { sysfs } = stage.opened;
  const before = await stage.snapshot();
  let recovered = 0;
  for (let steps = 1; ; steps += 1) {
    const journal = new MemoryJournal();
    const killer = new Killer(steps);
    const doomed = stage.binderOn(killer.sysfs(sysfs), { journal: killer.journal(journal) });
    const killed = await doomed.bind(targets).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Killed) return true;
        throw error;
      },
    );
    const next = stage.binderOn(sysfs, { journal, lock: new MemoryLock() });
    await next.recover();
    // What was done all but its last line stays done, and can be undone like anything that is.
    await next.release();
    if (!killed) return { steps: steps - 1, recovered };
    if (differences(before, await stage.snapshot()).length === 0) recovered += 1;
  }
}
