export type UeventAction =
  | 'add'
  | 'remove'
  | 'change'
  | 'bind'
  | 'unbind'
  | 'move'
  | 'online'
  | 'offline';

/** What the kernel tells the device manager over netlink (lib/kobject_uevent.c). */
export interface Uevent {
  readonly action: UeventAction;
  /** Below `/sys`, such as `/devices/pci0000:00/0000:00:02.0`. */
  readonly devpath: string;
  readonly subsystem: string;
  /** `MODALIAS`, `DRIVER` and the like. */
  readonly env: Readonly<Record<string, string>>;
}

/** Every uevent there was, and those who listen for more. */
export class Uevents {
  readonly #events: Uevent[] = [];
  #listeners: readonly ((event: Uevent) => void)[] = [];

  get events(): readonly Uevent[] {
    return this.#events;
  }

  emit(event: Uevent): void {
    this.#events.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  /** Listens, as udev does; the returned function ends it. */
  listen(listener: (event: Uevent) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }
}
