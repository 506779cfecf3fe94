import {
  type ConfigAccess,
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  PCI_ROM_ADDRESS,
} from '@vfiokit/pci';
import type { RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

/** What the COMMAND register depends on and acts on. */
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
    return this.#view.getUint16(PCI_COMMAND, true);
  }

  reads(position: number): boolean {
    return position === PCI_COMMAND && this.#o.noCommandMemory;
  }

  read(position: number, size: number, plain: ConfigAccess): number {
    const value = plain.read(position, size);
    if (value < 0 || position !== PCI_COMMAND) return value;
    return (value | (this.value & PCI_COMMAND_MEMORY)) >>> 0;
  }

  writes(position: number): boolean {
    return position === PCI_COMMAND;
  }

  write(position: number, size: number, value: number, plain: ConfigAccess): number {
    const error =
      position === PCI_COMMAND
        ? this.#writeEnables(size, value, plain)
        : plain.write(position, size, value);
    if (error < 0) return error;
    if (position === PCI_COMMAND || position === PCI_COMMAND + 1) this.#followIntxDisable();
    return 0;
  }

  #writeEnables(size: number, value: number, plain: ConfigAccess): number {
    const wanted = value & 0xffff;
    const { config, effects, noCommandMemory } = this.#o;
    const physical = config.read(PCI_COMMAND, 2);
    if (physical < 0) return physical;
    if ((wanted & PCI_COMMAND_MEMORY) === 0) effects.suspendMemory();
    const seen = this.value;
    const lost = (bit: number) => (wanted & bit) !== 0 && (seen & bit) !== 0 && !(physical & bit);
    if (
      (lost(PCI_COMMAND_MEMORY) && !noCommandMemory) ||
      lost(PCI_COMMAND_IO) ||
      this.#barsWereLost()
    )
      this.#restoreBars();
    const error = plain.write(PCI_COMMAND, size, value);
    if (error < 0) return error;
    const enables = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
    this.#view.setUint16(PCI_COMMAND, (this.value & ~enables) | (wanted & enables), true);
    effects.resumeMemory();
    return 0;
  }

  /** A BAR that differs from what it held at open tells of a reset that nobody announced. */
  #barsWereLost(): boolean {
    const { config, rbar } = this.#o;
    for (let bar = 0; bar < 6; bar += 1) {
      if (rbar[bar] === 0) continue;
      if (config.read(PCI_BASE_ADDRESS_0 + 4 * bar, 4) !== rbar[bar]) return true;
    }
    return false;
  }

  #restoreBars(): void {
    const { config, rbar, isVirtfn, nointx } = this.#o;
    if (isVirtfn) return;
    for (let bar = 0; bar < 6; bar += 1) config.write(PCI_BASE_ADDRESS_0 + 4 * bar, 4, rbar[bar]!);
    config.write(PCI_ROM_ADDRESS, 4, rbar[6]!);
    if (nointx)
      config.write(PCI_COMMAND, 2, config.read(PCI_COMMAND, 2) | PCI_COMMAND_INTX_DISABLE);
  }

  #followIntxDisable(): void {
    const disabled = (this.value & PCI_COMMAND_INTX_DISABLE) !== 0;
    if (disabled === this.virqDisabled) return;
    this.virqDisabled = disabled;
    if (disabled) this.#o.effects.maskIntx();
    else this.#o.effects.unmaskIntx();
  }
}
