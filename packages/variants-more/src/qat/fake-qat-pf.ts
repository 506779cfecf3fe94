import { EAGAIN, EINVAL, EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { sealState, unsealState } from '../fake/sealed-state.js';
import { type QatMigDevice, QatPf } from './qat-pf.js';

/** Bytes of the setup part, of which the first says what the device can do. */
const SETUP = 64;

const isEmpty = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

/** A VF as the fake PF keeps it. */
export class FakeQatMigDevice implements QatMigDevice {
  state: Uint8Array = new Uint8Array(0);
  /** Source and target have to agree. */
  capabilities = 1;
  /** What it was told, by name. */
  readonly log: string[] = [];
  readonly fault = new CommandFault();

  init(): number {
    return this.#told('init');
  }

  cleanup(): void {
    this.#told('cleanup');
  }

  reset(): void {
    this.#told('reset');
  }

  open(): number {
    return this.#told('open');
  }

  close(): void {
    this.#told('close');
  }

  suspend(): number {
    return this.#told('suspend');
  }

  resume(): number {
    return this.#told('resume');
  }

  saveSetup(state: Uint8Array): number {
    state[0] = this.capabilities;
    return this.#told('saveSetup') || SETUP;
  }

  saveState(state: Uint8Array): number {
    state.set(sealState(this.state), SETUP);
    return this.#told('saveState');
  }

  loadSetup(state: Uint8Array, length: number): number {
    if (length < SETUP) return -EAGAIN;
    const matches = state[0] === this.capabilities && isEmpty(state.subarray(1, SETUP));
    return matches ? this.#told('loadSetup') : -EINVAL;
  }

  /** Nothing at all is no state. */
  loadState(state: Uint8Array): number {
    if (isEmpty(state)) return this.#told('loadState');
    const loaded = unsealState(state.subarray(SETUP));
    if (loaded === undefined) return -EINVAL;
    if (!isEmpty(state.subarray(SETUP + sealState(loaded).length))) return -EINVAL;
    const error = this.#told('loadState');
    if (error === 0) this.state = loaded;
    return error;
  }

  #told(what: string): number {
    this.log.push(what);
    return this.fault.strikes() ? -EIO : 0;
  }
}

/** A PF whose VFs are in memory: for tests, and for modelled machines. */
export class FakeQatPf extends QatPf {
  readonly #devices = new Map<number, FakeQatMigDevice>();

  migDevice(vf: number): FakeQatMigDevice {
    const device = this.#devices.get(vf) ?? new FakeQatMigDevice();
    this.#devices.set(vf, device);
    return device;
  }
}
