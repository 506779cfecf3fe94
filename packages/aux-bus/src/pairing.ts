import type { AuxiliaryDevice } from './auxiliary-device.js';

/** Two halves that only together are something: a PCI function, and the auxiliary device that speaks for it. */
export interface PairingOptions<F, T> {
  /** The id under which a function's companion is published. */
  idOf(one: F): number;
  /** Both are there: makes what they are together. */
  pair(one: F, companion: AuxiliaryDevice): T;
  /** One of them leaves: ends it. */
  part(whole: T): void;
}

/**
 * Creates something when a function and its companion on the auxiliary bus are both present, and destroys it when either
 * leaves, in whatever order they come and go: how VFIO was to sit beside a native driver in 2021.
 */
export class Pairing<F, T> {
  readonly #functions = new Map<number, F>();
  readonly #companions = new Map<number, AuxiliaryDevice>();
  readonly #wholes = new Map<number, T>();

  constructor(private readonly options: PairingOptions<F, T>) {}

  /** What is complete, by id. */
  get wholes(): ReadonlyMap<number, T> {
    return this.#wholes;
  }

  addFunction(one: F): void {
    this.#functions.set(this.options.idOf(one), one);
    this.#complete(this.options.idOf(one));
  }

  removeFunction(one: F): void {
    this.#part(this.options.idOf(one));
    this.#functions.delete(this.options.idOf(one));
  }

  addCompanion(companion: AuxiliaryDevice): void {
    this.#companions.set(companion.id, companion);
    this.#complete(companion.id);
  }

  removeCompanion(companion: AuxiliaryDevice): void {
    this.#part(companion.id);
    this.#companions.delete(companion.id);
  }

  /** Whether a function's companion is there: a probe without one answers `-ENODEV`. */
  hasCompanion(one: F): boolean {
    return this.#companions.has(this.options.idOf(one));
  }

  #complete(id: number): void {
    const one = this.#functions.get(id);
    const companion = this.#companions.get(id);
    if (one === undefined || companion === undefined || this.#wholes.has(id)) return;
    this.#wholes.set(id, this.options.pair(one, companion));
  }

  #part(id: number): void {
    const whole = this.#wholes.get(id);
    if (whole === undefined) return;
    this.#wholes.delete(id);
    this.options.part(whole);
  }
}
