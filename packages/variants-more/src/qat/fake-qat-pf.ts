import { EAGAIN, EINVAL, EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { sealState, unsealState } from '../fake/sealed-state.js';
import {
  decodeMstate,
  encodeMstate,
  findSection,
  type MstateSection,
  mstateLength,
} from './mstate.js';
import { type QatMigDevice, QatPf } from './qat-pf.js';

/** What a VF can do, by which source and target find out whether they fit. */
export interface QatCapabilities {
  /** General capabilities; the target has to have all of them. */
  readonly gencap: number;
  /** Which services its rings are for; the same on both sides. */
  readonly svcmap: number;
  /** Extended compression; the target has to have all of it. */
  readonly extdc: number;
}

const REGISTERS = ['visrc', 'vimsk', 'vispv', 'vimpv', 'pf2vm', 'vm2pf'] as const;

/** A VF as the fake PF keeps it. */
export class FakeQatMigDevice implements QatMigDevice {
  /** What its rings hold. */
  state: Uint8Array = new Uint8Array(0);
  capabilities: QatCapabilities = { gencap: 1, svcmap: 1, extdc: 0 };
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
    const setup = encodeMstate([{ id: 'CONFIG', content: words({ ...this.capabilities }) }]);
    state.set(setup);
    return this.#told('saveSetup') || setup.length;
  }

  saveState(state: Uint8Array): number {
    const setup = mstateLength(state)!;
    state.set(encodeMstate(sectionsOf(this.state)), setup);
    return this.#told('saveState');
  }

  loadSetup(state: Uint8Array, length: number): number {
    const size = mstateLength(state.subarray(0, length));
    if (size === undefined || size > length) return -EAGAIN;
    const setup = decodeMstate(state);
    return setup !== undefined && this.#fits(setup) ? this.#told('loadSetup') : -EINVAL;
  }

  /** Nothing at all is no state. */
  loadState(state: Uint8Array): number {
    if (state.every((byte) => byte === 0)) return this.#told('loadState');
    const part = state.subarray(mstateLength(state));
    const rings = findSection(decodeMstate(part) ?? [], ['ETRBAR', 'bnk0', 'mregs']);
    const loaded = rings && unsealState(rings);
    // It knows no other registers than zeroes, and nothing behind them.
    if (loaded === undefined || !startsWith(part, encodeMstate(sectionsOf(loaded)))) return -EINVAL;
    const error = this.#told('loadState');
    if (error === 0) this.state = loaded;
    return error;
  }

  #fits(setup: readonly MstateSection[]): boolean {
    const value = (name: string) => {
      const bytes = findSection(setup, ['CONFIG', name]);
      return bytes && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    };
    const [gencap, svcmap, extdc] = [value('gencap'), value('svcmap'), value('extdc')];
    if (gencap === undefined || svcmap === undefined || extdc === undefined) return false;
    const own = this.capabilities;
    return (gencap & ~own.gencap) === 0 && svcmap === own.svcmap && (extdc & ~own.extdc) === 0;
  }

  #told(what: string): number {
    this.log.push(what);
    return this.fault.strikes() ? -EIO : 0;
  }
}

/** Everything but the setup of a VF whose rings hold this. */
function sectionsOf(state: Uint8Array): readonly MstateSection[] {
  const rings = [{ id: 'mregs', content: sealState(state) }];
  return [
    { id: 'GENER', content: words({ iovinit: 0, compver: 0, sla: 0 }) },
    { id: 'MISCBAR', content: words(Object.fromEntries(REGISTERS.map((name) => [name, 0]))) },
    { id: 'ETRBAR', content: [{ id: 'bnk0', content: rings }] },
  ];
}

/** Whether bytes are these, and zeroes behind them. */
function startsWith(bytes: Uint8Array, expected: Uint8Array): boolean {
  return bytes.every((byte, at) => byte === (expected[at] ?? 0));
}

/** Sections of 4 bytes each. */
function words(values: Readonly<Record<string, number>>): readonly MstateSection[] {
  return Object.entries(values).map(([id, value]) => {
    const content = new Uint8Array(4);
    new DataView(content.buffer).setUint32(0, value, true);
    return { id, content };
  });
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
