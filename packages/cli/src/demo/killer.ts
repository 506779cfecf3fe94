import type { JournalStore } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';

/** A process that is no more. */
export class Killed extends Error {}

/** Ends a binder right after its Nth step, a write to the machine or to the journal: nothing it would do after that happens. */
export class Killer {
  #steps = 0;

  constructor(private readonly last: number) {}

  sysfs(sysfs: Sysfs): Sysfs {
    return {
      kind: sysfs.kind,
      read: (path) => this.#alive(() => sysfs.read(path)),
      list: (path) => this.#alive(() => sysfs.list(path)),
      readLink: (path) => this.#alive(() => sysfs.readLink(path)),
      write: (path, data) => this.#step(() => sysfs.write(path, data)),
    };
  }

  journal(store: JournalStore): JournalStore {
    return {
      create: (id, line) => this.#step(() => store.create(id, line)),
      append: (id, line) => this.#step(() => store.append(id, line)),
      archive: (id) => this.#step(() => store.archive(id)),
      read: (id) => this.#alive(() => store.read(id)),
      list: () => this.#alive(() => store.list()),
    };
  }

  async #alive<T>(act: () => Promise<T>): Promise<T> {
    if (this.#steps >= this.last) throw new Killed();
    return act();
  }

  async #step<T>(act: () => Promise<T>): Promise<T> {
    const result = await this.#alive(act);
    this.#steps += 1;
    if (this.#steps >= this.last) throw new Killed();
    return result;
  }
}
