import { EIO } from '@vfiokit/uapi';
import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_D0,
  PCI_D3cold,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_HEADER_TYPE_MASK,
  PCI_ROM_ADDRESS_ENABLE,
} from '../regs/index.js';
import { type ErrorReport, reportError } from './advanced-error-reporting.js';
import { Bar, DecodedBlock, type Decoding } from './bar.js';
import { romRegister } from './base-address.js';
import type { ConfigSpace } from './config-space.js';
import type { FunctionDescription, ResetKind } from './function-description.js';
import { realize } from './function-registers.js';
import { type DmaPort, type FunctionWires, UNWIRED } from './function-wires.js';
import { IntxPin } from './intx.js';
import { type MessageEffects, Msi } from './msi.js';
import { Msix, MsixOverlay } from './msix.js';
import { PowerManagement } from './power-management.js';
import { MemoryBlock, OpenBus, type RegisterBlock } from './register-block.js';
import { attachResetRegisters } from './reset-registers.js';
import { SriovCapability } from './sriov.js';
import { deriveVirtualFunction } from './virtual-function.js';
import { VitalProductData } from './vital-product-data.js';

/**
 * A PCI function as silicon: registers that behave as the specification says, BARs, interrupts, power states, resets.
 *
 * Nothing is checked for who may do what; that is software's business.
 */
export class PciFunction {
  readonly config: ConfigSpace;
  /** By register number; undefined for an absent one and for the upper half of a 64-bit one. */
  readonly bars: readonly (Bar | undefined)[];
  /** BARs of the VFs, as windows of one VF each; empty for a function that is no PF. */
  readonly vfBars: readonly (Bar | undefined)[];
  /** The expansion ROM as seen from the bus; undefined without one. */
  readonly rom: RegisterBlock | undefined;
  /** Bytes of the expansion ROM's window; 0 without one. */
  readonly romSize: number;
  readonly vga: RegisterBlock;
  readonly intx: IntxPin;
  readonly power: PowerManagement | undefined;
  readonly msi: Msi | undefined;
  readonly msix: Msix | undefined;
  readonly sriov: SriovCapability | undefined;
  readonly isBridge: boolean;
  /** Memory that the function reaches; set by the host. */
  dma: DmaPort | undefined;
  readonly #description: FunctionDescription;
  readonly #resetFunction: (kind: ResetKind) => void;
  readonly #decoding: Decoding = { memory: false, io: false };
  readonly #positions: (id: number) => number;
  readonly #extendedPositions: (id: number) => number;
  #wires = UNWIRED;
  #virtualFunctions: readonly PciFunction[] = [];
  /** Those that exist, and those that existed once. */
  readonly #allVirtualFunctions: PciFunction[] = [];

  constructor(
    description: FunctionDescription,
    /** The function that this one is a VF of. */
    readonly physicalFunction?: PciFunction,
  ) {
    const registers = realize(description);
    const { config } = registers;
    this.#description = description;
    this.config = config;
    this.#positions = registers.capability;
    this.#extendedPositions = registers.extendedCapability;
    this.#resetFunction = registers.reset;
    this.isBridge =
      (config.bytes[PCI_HEADER_TYPE]! & PCI_HEADER_TYPE_MASK) === PCI_HEADER_TYPE_BRIDGE;

    const messages: MessageEffects = {
      send: (low, high, data, vector) => {
        // A message is a memory write, which takes a bus master that is awake.
        if (this.mayMaster) this.#wires.message(low, high, data, vector);
      },
      enableChanged: () => this.intx.update(),
    };
    const at = this.#positions;
    const unit = <T>(position: number, make: (at: number) => T): T | undefined =>
      position === 0 ? undefined : make(position);
    this.power = unit(
      at(PCI_CAP_ID_PM),
      (pm) => new PowerManagement(config, pm, this.#powerEffects),
    );
    this.msi = unit(at(PCI_CAP_ID_MSI), (msi) => new Msi(config, msi, messages));
    this.msix = unit(at(PCI_CAP_ID_MSIX), (msix) => new Msix(config, msix, messages));
    unit(at(PCI_CAP_ID_VPD), (vpd) => new VitalProductData(config, vpd, description.vpd));
    this.intx = new IntxPin(
      config,
      () => this.msi?.enabled === true || this.msix?.enabled === true,
      (asserted) => this.#wires.pin(asserted),
    );
    this.sriov = unit(
      this.#extendedPositions(PCI_EXT_CAP_ID_SRIOV),
      (sriov) =>
        new SriovCapability(config, sriov, {
          virtualFunctionsChanged: (count) => this.#setVirtualFunctions(count),
          memoryChanged: () => {
            for (const vf of this.#virtualFunctions) vf.updateDecoding();
          },
        }),
    );
    attachResetRegisters(
      config,
      {
        express: at(PCI_CAP_ID_EXP),
        advancedFeatures: at(PCI_CAP_ID_AF),
        isBridge: this.isBridge,
      },
      {
        functionReset: () => this.reset('flr'),
        secondaryReset: () => this.#wires.secondaryReset(),
      },
    );
    config.attach(PCI_COMMAND, { written: () => this.updateDecoding() });

    this.bars = registers.bars.map((bar, index) =>
      bar === undefined
        ? undefined
        : new Bar(index, bar, this.#decoding, PCI_BASE_ADDRESS_0 + 4 * index, (block) =>
            this.#overlay(index, block),
          ),
    );
    this.vfBars = registers.vfBars.map((bar, index) =>
      bar === undefined
        ? undefined
        : new Bar(index, bar, this.#decoding, registers.vfBarAt + 4 * index, (block) => block),
    );
    this.romSize = registers.romSize;
    this.rom = this.#makeRom(description);
    this.vga = description.vga ?? new OpenBus();
    this.updateDecoding();
  }

  /** Ties the function to a machine; wires that are not named lead nowhere. */
  connect(wires: Partial<FunctionWires>): void {
    this.#wires = { ...UNWIRED, ...wires };
  }

  /** Where the first standard capability of a kind is; 0 without one, or with one that is cut off. */
  findCapability(id: number): number {
    return this.#positions(id);
  }

  /** Where the first extended capability of a kind is; 0 without one. */
  findExtendedCapability(id: number): number {
    return this.#extendedPositions(id);
  }

  /** The VFs that exist now, in order. */
  get virtualFunctions(): readonly PciFunction[] {
    return this.#virtualFunctions;
  }

  /** The D-state: 0 to 3 by the register, 4 without power. */
  get powerState(): number {
    if (!this.config.present) return PCI_D3cold;
    return this.power?.state ?? PCI_D0;
  }

  /** The function may send memory requests. */
  get mayMaster(): boolean {
    return (
      (this.config.peek16(PCI_COMMAND) & PCI_COMMAND_MASTER) !== 0 && this.powerState === PCI_D0
    );
  }

  /** Reads memory as the function; 0, or `-EIO` where the host set no port or the function may not master the bus. */
  readMemory(iova: number | bigint, into: Uint8Array): number {
    return this.mayMaster && this.dma !== undefined ? this.dma.read(iova, into) : -EIO;
  }

  /** Writes memory as the function, under the same conditions. */
  writeMemory(iova: number | bigint, from: Uint8Array): number {
    return this.mayMaster && this.dma !== undefined ? this.dma.write(iova, from) : -EIO;
  }

  /** Raises a message signalled interrupt by whichever mechanism is enabled; false if none is. The pin is {@link intx}. */
  raise(vector: number): boolean {
    return this.msix?.raise(vector) === true || this.msi?.raise(vector) === true;
  }

  /** Logs an error and tells the root port, if the function is set up to. */
  reportError(report: ErrorReport): void {
    const registers = {
      express: this.#positions(PCI_CAP_ID_EXP),
      advanced: this.#extendedPositions(PCI_EXT_CAP_ID_ERR),
    };
    const severity = reportError(this.config, registers, report);
    if (severity !== undefined) this.#wires.error(severity);
  }

  /** Resets the function: registers go back to their power-on values, except those that survive this kind. */
  reset(kind: ResetKind): void {
    this.#setVirtualFunctions(0);
    // Before the registers: without INTX_DISABLE a pin that is still pending would reach the wire for a moment.
    this.intx.deassert();
    this.#resetFunction(kind);
    this.msix?.reset();
    for (const bar of this.bars) bar?.block.reset?.();
    this.updateDecoding();
    this.#description.onReset?.(kind);
  }

  /** Takes the power away (D3cold) or gives it back, with everything reset. */
  setPowered(powered: boolean): void {
    if (powered === this.config.present) return;
    this.config.present = powered;
    if (powered) this.reset('cold');
    else this.updateDecoding();
  }

  /** Works out anew what the function answers to; call it after {@link ConfigSpace.poke} changed COMMAND or PMCSR. */
  updateDecoding(): void {
    const awake = this.powerState === PCI_D0;
    const command = this.config.peek16(PCI_COMMAND);
    const memory =
      this.physicalFunction === undefined
        ? (command & PCI_COMMAND_MEMORY) !== 0
        : this.physicalFunction.sriov?.memoryEnabled === true;
    this.#decoding.memory = awake && memory;
    this.#decoding.io = awake && (command & PCI_COMMAND_IO) !== 0;
    this.intx.update();
  }

  readonly #powerEffects = {
    powerChanged: () => this.updateDecoding(),
    softReset: () => this.reset('soft'),
  };

  #overlay(bar: number, below: RegisterBlock): RegisterBlock {
    const { msix } = this;
    if (msix === undefined) return below;
    const overTable =
      msix.table.bar === bar ? new MsixOverlay(below, msix.table, msix.tableBlock) : below;
    return msix.pba.bar === bar ? new MsixOverlay(overTable, msix.pba, msix.pbaBlock) : overTable;
  }

  #makeRom({ rom }: FunctionDescription): RegisterBlock | undefined {
    if (this.romSize === 0) return undefined;
    const at = romRegister(this.config.bytes);
    const contents = rom instanceof Uint8Array ? new MemoryBlock(rom) : new OpenBus();
    const readOnly = { read: contents.read.bind(contents), write() {} };
    return new DecodedBlock(
      readOnly,
      () => this.#decoding.memory && (this.config.peek32(at) & PCI_ROM_ADDRESS_ENABLE) !== 0,
    );
  }

  /** A VF that goes and comes back is the same one, reset; meanwhile nobody answers for it. */
  #setVirtualFunctions(count: number): void {
    const existing = this.#virtualFunctions.length;
    if (count === existing) return;
    for (let vf = this.#allVirtualFunctions.length; vf < count; vf += 1)
      this.#allVirtualFunctions.push(new PciFunction(this.#describeVirtualFunction(vf), this));
    for (const [vf, silicon] of this.#allVirtualFunctions.entries()) silicon.setPowered(vf < count);
    this.#virtualFunctions = this.#allVirtualFunctions.slice(0, count);
  }

  #describeVirtualFunction(vf: number): FunctionDescription {
    return this.#description.virtualFunction?.(vf) ?? deriveVirtualFunction(this);
  }
}
