import { createHash } from 'node:crypto';
import type { Binder, Target, TransactionOptions } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { type Machine, walk } from '@vfiokit/host';
import { type BindingMachine, binderFor, openBinding, openSimulation } from '../binding/machine.js';
import { planOptions } from '../binding/plan-options.js';

/** One write to a file of the machine, and what it was answered. */
export interface Write {
  readonly path: string;
  readonly bytes: string;
  readonly answer: number;
}

/** A machine on which the story takes place, and a record of what is written to it. */
export class Stage {
  readonly writes: Write[] = [];
  readonly binder: Binder;

  private constructor(
    readonly opened: BindingMachine,
    readonly machine: Machine,
  ) {
    this.binder = this.#binder(this.#noting(opened.sysfs));
  }

  /** A captured machine, on the model that is made of it. */
  static async ofCapture(name: string): Promise<Stage> {
    return Stage.#of(await openSimulation({ name }));
  }

  /** A described machine. */
  static async ofDescription(name: string): Promise<Stage> {
    return Stage.#of(await openBinding({ name }));
  }

  static #of(opened: BindingMachine): Stage {
    if (opened.machine === undefined)
      throw new TypeError(`${opened.name}: nothing can be done on it`);
    return new Stage(opened, opened.machine);
  }

  /** What a plan is to do with a device. */
  targets(device: string, wholeGroup = false): readonly Target[] {
    return this.opened.planner.plan(device, this.opened.input, {
      ...planOptions({}),
      wholeGroup,
    }).targets;
  }

  /** A binder that another process would have: with a tree and a journal of its own. */
  binderOn(sysfs: Sysfs, more: Partial<TransactionOptions>): Binder {
    return this.#binder(sysfs, more);
  }

  /** Every file and link that binding touches, by its path: what it reads, as a digest. */
  async snapshot(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for await (const one of walk(this.opened.sysfs)) {
      if (one.type === 'link') found.set(one.path, `-> ${one.target}`);
      if (one.type === 'file')
        found.set(one.path, createHash('sha256').update(one.data).digest('base64'));
    }
    return found;
  }

  #binder(sysfs: Sysfs, more: Partial<TransactionOptions> = {}): Binder {
    return binderFor({ ...this.opened, sysfs }, more);
  }

  #noting(sysfs: Sysfs): Sysfs {
    return {
      kind: sysfs.kind,
      read: (path) => sysfs.read(path),
      list: (path) => sysfs.list(path),
      readLink: (path) => sysfs.readLink(path),
      write: async (path, data) => {
        const answer = await sysfs.write(path, data);
        this.writes.push({ path, bytes: Buffer.from(data).toString(), answer });
        return answer;
      },
    };
  }
}

/** Paths that do not read as they did. */
export function differences(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path));
}
