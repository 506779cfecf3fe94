import { EINVAL, EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { sealState, unsealState } from '../fake/sealed-state.js';
import { XePf } from './xe-pf.js';

/** A VF as the fake PF keeps it, with the transfer that is under way. */
export class FakeXeVf {
  state: Uint8Array = new Uint8Array(0);
  leaving: Uint8Array = new Uint8Array(0);
  arriving: number[] = [];
}

/** A PF whose VFs are in memory: for tests, and for modelled machines. */
export class FakeXePf extends XePf {
  readonly supportsMigration: boolean = true;
  /** What it was asked for, as method and VF. */
  readonly log: string[] = [];
  readonly fault = new CommandFault();
  readonly #vfs = new Map<number, FakeXeVf>();

  /** A VF, counted from 1. */
  vf(number: number): FakeXeVf {
    const vf = this.#vfs.get(number) ?? new FakeXeVf();
    this.#vfs.set(number, vf);
    return vf;
  }

  prepareFlr(vf: number): void {
    this.#asked('prepareFlr', vf);
  }

  waitFlrDone(vf: number): number {
    return this.#asked('waitFlrDone', vf);
  }

  pause(vf: number): number {
    return this.#asked('pause', vf);
  }

  resume(vf: number): number {
    return this.#asked('resume', vf);
  }

  saveStart(vf: number): number {
    this.vf(vf).leaving = sealState(this.vf(vf).state);
    return this.#asked('saveStart', vf);
  }

  saveFinish(vf: number): number {
    return this.#asked('saveFinish', vf);
  }

  restoreStart(vf: number): number {
    this.vf(vf).arriving = [];
    return this.#asked('restoreStart', vf);
  }

  /** Nothing at all is no restore. */
  restoreFinish(number: number): number {
    const vf = this.vf(number);
    const error = this.#asked('restoreFinish', number);
    if (error < 0 || vf.arriving.length === 0) return error;
    const state = unsealState(Uint8Array.from(vf.arriving));
    if (state === undefined) return -EINVAL;
    vf.state = state;
    return 0;
  }

  stop(vf: number): void {
    this.#asked('stop', vf);
  }

  read(number: number, into: Uint8Array): number {
    if (this.fault.strikes()) return -EIO;
    const vf = this.vf(number);
    const piece = vf.leaving.subarray(0, into.length);
    into.set(piece);
    vf.leaving = vf.leaving.subarray(piece.length);
    return piece.length;
  }

  write(number: number, from: Uint8Array): number {
    if (this.fault.strikes()) return -EIO;
    this.vf(number).arriving.push(...from);
    return from.length;
  }

  size(vf: number): bigint {
    return BigInt(sealState(this.vf(vf).state).length);
  }

  #asked(what: string, vf: number): number {
    this.log.push(`${what} ${vf}`);
    return this.fault.strikes() ? -EIO : 0;
  }
}
