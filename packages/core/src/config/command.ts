import type { ConfigAccess } from '@vfiokit/pci';
import type { RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

const COMMAND = 0x04;
const COMMAND_IO = 0x0001;
const COMMAND_MEMORY = 0x0002;
const COMMAND_INTX_DISABLE = 0x0400;
const BAR0 = 0x10;
const ROM_BAR = 0x30;

export interface CommandOptions {
  readonly config: ConfigAccess;
  readonly vconfig: Uint8Array;
  readonly effects: ConfigEffects;
  /** What BAR 0 to 5 and the ROM BAR held when the device opened. */
  readonly rbar: readonly number[];
  /** The function has no memory enable of its own, as no VF has. */
  readonly noCommandMemory: boolean;
  readonly isVirtfn: boolean;
  /** INTx is hidden from the user, so DisINTx has to come back with a restore. */
  readonly nointx: boolean;
}

/**
 * The COMMAND register: whether memory may be touched, whether INTx is masked, and whether somebody reset the function
 * behind the user's back (vfio_pci_config.c: vfio_basic_config_write, vfio_need_bar_restore, vfio_bar_restore).
 */
export class CommandRegister implements RegisterHook {
  /** DisINTx as the user last wrote it; not taken over from the register at open (quirk W28). */
  virqDisabled = false;
  readonly #o: CommandOptions;
  readonly #view: DataView;

  constructor(options: CommandOptions) {
    this.#o = options;
    this.#view = new DataView(options.vconfig.buffer, options.vconfig.byteOffset);
  }

  /** The virtual register. */
  get value(): number {
    return this.#view.getUint16(COMMAND, true);
  }

  reads(position: number): boolean {
    return position === COMMAND && this.#o.noCommandMemory;
  }

  read(position: number, size: number, plain: ConfigAccess): number {
    const value = plain.read(position, size);
    if (value < 0 || position !== COMMAND) return value;
    return (value | (this.value & COMMAND_MEMORY)) >>> 0;
  }

  writes(position: number): boolean {
    return position === COMMAND;
  }

  write(position: number, size: number, value: number, plain: ConfigAccess): number {
    const error =
      position === COMMAND
        ? this.#writeEnables(size, value, plain)
        : plain.write(position, size, value);
    if (error < 0) return error;
    if (position === COMMAND || position === COMMAND + 1) this.#followIntxDisable();
    return 0;
  }

  #writeEnables(size: number, value: number, plain: ConfigAccess): number {
    const wanted = value & 0xffff;
    const { config, effects, noCommandMemory } = this.#o;
    const physical = config.read(COMMAND, 2);
    if (physical < 0) return physical;
    if ((wanted & COMMAND_MEMORY) === 0) effects.suspendMemory();
    const seen = this.value;
    const lost = (bit: number) => (wanted & bit) !== 0 && (seen & bit) !== 0 && !(physical & bit);
    if ((lost(COMMAND_MEMORY) && !noCommandMemory) || lost(COMMAND_IO) || this.#barsWereLost())
      this.#restoreBars();
    const error = plain.write(COMMAND, size, value);
    if (error < 0) return error;
    const enables = COMMAND_MEMORY | COMMAND_IO;
    this.#view.setUint16(COMMAND, (this.value & ~enables) | (wanted & enables), true);
    effects.resumeMemory();
    return 0;
  }

  /** A BAR that differs from what it held at open tells of a reset that nobody announced. */
  #barsWereLost(): boolean {
    const { config, rbar } = this.#o;
    for (let bar = 0; bar < 6; bar += 1) {
      if (rbar[bar] === 0) continue;
      if (config.read(BAR0 + 4 * bar, 4) !== rbar[bar]) return true;
    }
    return false;
  }

  #restoreBars(): void {
    const { config, rbar, isVirtfn, nointx } = this.#o;
    if (isVirtfn) return;
    for (let bar = 0; bar < 6; bar += 1) config.write(BAR0 + 4 * bar, 4, rbar[bar]!);
    config.write(ROM_BAR, 4, rbar[6]!);
    if (nointx) config.write(COMMAND, 2, config.read(COMMAND, 2) | COMMAND_INTX_DISABLE);
  }

  #followIntxDisable(): void {
    const disabled = (this.value & COMMAND_INTX_DISABLE) !== 0;
    if (disabled === this.virqDisabled) return;
    this.virqDisabled = disabled;
    if (disabled) this.#o.effects.maskIntx();
    else this.#o.effects.unmaskIntx();
  }
}
