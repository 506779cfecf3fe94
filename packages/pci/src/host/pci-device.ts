import { EINVAL } from '@vfiokit/uapi';
import {
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_D0,
  PCI_EXT_CAP_ID_SRIOV,
} from '../regs/index.js';
import { OpenBus, type RegisterBlock } from '../silicon/register-block.js';
import { BarReservations } from './bar-reservations.js';
import { probeBusReset, probeSlotReset, tryResetSlotOrBus } from './bus-reset.js';
import { Enablement } from './enable.js';
import {
  EnumeratedFunction,
  IRQ_NOTCONNECTED,
  type PciDeviceParts,
} from './enumerated-function.js';
import type { PciErrorHandlers } from './error-handlers.js';
import type { IrqHandler, IrqLine } from './irq-line.js';
import { IrqVectors, type VectorKind } from './irq-vectors.js';
import type { PciBus } from './pci-bus.js';
import { Power } from './power.js';
import {
  chooseResetMethods,
  type ResetMethod,
  resetFunctionLocked,
  tryResetFunction,
} from './reset-methods.js';
import { RomMapping } from './rom-mapping.js';
import { RuntimePm } from './runtime-pm.js';
import { PciRuntimePmBus } from './runtime-pm-bus.js';
import { fitsDevice, restoreState, type SavedState, saveState } from './saved-state.js';
import { Sriov } from './sriov.js';
import { Vpd } from './vpd.js';

/** Nobody answers. */
const OPEN_BUS: RegisterBlock = new OpenBus();

/**
 * A function as the host's PCI core knows it, with the services that the core gives to drivers (struct pci_dev).
 *
 * Every access to configuration space goes through {@link EnumeratedFunction.config}, in the kernel's order and widths.
 * Services return 0, or what they say, or a negated errno; nothing throws.
 */
export class PciDevice extends EnumeratedFunction {
  readonly sriov: Sriov | undefined;
  readonly resetMethods: readonly ResetMethod[];
  readonly runtimePm: RuntimePm;
  /** Which BARs the driver has reserved. */
  readonly reservations: BarReservations;
  readonly romMapping: RomMapping;
  readonly vpd: Vpd;
  /** The bound driver's own (struct device: driver_data). */
  driverData: unknown;
  /** The bound driver's; called around resets and for errors. */
  resetHooks: PciErrorHandlers | undefined;
  /** The bus behind a bridge; set by the topology. */
  subordinate: PciBus | undefined;
  /** VFs that exist now, in order; set by the topology. */
  virtualFunctions: readonly PciDevice[] = [];
  readonly #power: Power;
  readonly #enablement: Enablement;
  readonly #vectors: IrqVectors;
  #saved: SavedState | undefined;
  #locked = false;

  constructor(parts: PciDeviceParts) {
    super(parts);
    const { facts, bus, function: silicon } = parts;
    const at = (id: number) => this.findCapability(id);
    this.#power = new Power(this, at(PCI_CAP_ID_PM), facts.powerState ?? PCI_D0);
    this.#enablement = new Enablement(this, () => this.#power.update(this.#power.current));
    this.#vectors = new IrqVectors(this, {
      msi: at(PCI_CAP_ID_MSI),
      msix: at(PCI_CAP_ID_MSIX),
    });
    this.reservations = new BarReservations(this);
    this.romMapping = new RomMapping(this, facts.romShadow);
    this.vpd = new Vpd(this.config, at(PCI_CAP_ID_VPD));
    const sriov = this.findExtendedCapability(PCI_EXT_CAP_ID_SRIOV);
    this.sriov = sriov === 0 ? undefined : new Sriov(this, sriov, bus.topology);
    this.runtimePm = new RuntimePm(new PciRuntimePmBus(this), bus.topology.idlePolicy);
    this.resetMethods = chooseResetMethods(this, facts.resetMethods);
    silicon.connect({
      message: (low, high, data, vector) => this.#vectors.deliver(low, high, data, vector),
      pin: (asserted) => this.#line?.set(silicon, asserted),
      error: (severity) => {
        if (severity !== 'correctable') this.resetHooks?.errorDetected?.(severity);
      },
      secondaryReset: () => this.subordinate?.reset(),
    });
  }

  get isPhysfn(): boolean {
    return this.sriov !== undefined;
  }

  // --- bring-up ---

  /** Powers up, decodes the assigned resources and gives INTx back; counted (pci_enable_device). */
  enable(): number {
    return this.#enablement.enable();
  }

  /** The last one ends bus mastering (pci_disable_device). */
  disable(): void {
    this.#enablement.disable();
  }

  get enableCount(): number {
    return this.#enablement.count;
  }

  setMaster(on: boolean): void {
    this.#enablement.setMaster(on);
  }

  /** Sets or clears DisINTx, if that changes it (pci_intx). */
  intx(enable: boolean): void {
    this.#enablement.intx(enable);
  }

  // --- power and saved state ---

  /** The tracked D-state: 0 to 4, 5 unknown. */
  get currentState(): number {
    return this.#power.current;
  }

  /** pci_set_power_state: `-EIO` without the capability or the state, `-EINVAL` for a shallower sleep. */
  setPowerState(state: number): number {
    return this.#power.set(state);
  }

  saveState(): void {
    this.#saved = saveState(this);
  }

  /** Writes back what was saved, once. */
  restoreState(): void {
    if (this.#saved === undefined) return;
    restoreState(this, this.#saved);
    this.#vectors.restore();
    this.sriov?.restore();
    this.#saved = undefined;
  }

  /** What is saved; undefined if nothing is (pci_store_saved_state). */
  storeSavedState(): SavedState | undefined {
    return this.#saved;
  }

  /**
   * Takes a stored state in place of what is saved; none stands for nothing saved (pci_load_saved_state).
   * 0, or `-EINVAL` for one that another layout of capabilities has; then nothing is saved.
   */
  loadSavedState(state: SavedState | undefined): number {
    this.#saved = undefined;
    const error = state === undefined ? 0 : fitsDevice(this, state);
    if (error === 0) this.#saved = state;
    return error;
  }

  // --- resets ---

  /** Saves, resets and restores (pci_try_reset_function): `-EAGAIN` if the lock is held, `-ENOTTY` without a method. */
  tryResetFunction(): number {
    return tryResetFunction(this);
  }

  /** The bare method, with nothing saved (__pci_reset_function_locked). */
  resetFunctionLocked(): number {
    return resetFunctionLocked(this);
  }

  /** 0 if the slot can be reset, else `-ENOTTY`. */
  probeSlotReset(): number {
    return probeSlotReset(this);
  }

  /** 0 if the bus can be reset, else `-ENOTTY`. */
  probeBusReset(): number {
    return probeBusReset(this);
  }

  /** Resets slot or bus with all its functions (pci_reset_bus): `-EAGAIN` if a lock is held, `-ENOTTY`. */
  tryResetSlotOrBus(): number {
    return tryResetSlotOrBus(this);
  }

  /** Takes the device lock and that of its configuration space, unless somebody has them (pci_dev_trylock). */
  tryLock(): boolean {
    if (this.#locked || this.platform.lockHeld?.(this) === true) return false;
    this.#locked = true;
    return true;
  }

  unlock(): void {
    this.#locked = false;
  }

  // --- interrupts: the line ---

  /**
   * Listens to the interrupt line; 0, `-EBUSY` unless everybody shares, `-EINVAL` without a line or for a second time
   * (request_irq). The handler says whether the interrupt was its own.
   */
  requestIrq(handler: IrqHandler, options: { readonly shared: boolean }): number {
    const line = this.#line;
    if (line === undefined) return -EINVAL;
    const refused = this.platform.requestIrq?.(this, options.shared) ?? 0;
    return refused < 0 ? refused : line.request(this, handler, options.shared);
  }

  freeIrq(): void {
    this.#line?.free(this);
  }

  /** disable_irq_nosync. */
  disableIrq(): void {
    this.#line?.disable();
  }

  /** A level that is still asserted fires again. */
  enableIrq(): void {
    this.#line?.enable();
  }

  // --- interrupts: messages ---

  /** See {@link IrqVectors.alloc}. */
  allocIrqVectors(kind: VectorKind, count: number): number {
    return this.#vectors.alloc(kind, count);
  }

  freeIrqVectors(): void {
    this.#vectors.free();
  }

  /** The mechanism that is enabled now. */
  get vectorKind(): VectorKind | undefined {
    return this.#vectors.kind;
  }

  /** MSI-X vectors can be added while it is enabled. */
  get msixDynamic(): boolean {
    return this.platform.msixDynamic?.(this) ?? true;
  }

  irqVectorAllocated(index: number): boolean {
    return this.#vectors.allocated(index);
  }

  allocMsixVectorAt(index: number): number {
    return this.#vectors.allocAt(index);
  }

  connectVector(index: number, handler: () => void): number {
    return this.#vectors.connect(index, handler);
  }

  disconnectVector(index: number): void {
    this.#vectors.disconnect(index);
  }

  rewriteMsixMessage(index: number): void {
    this.#vectors.rewriteMessage(index);
  }

  // --- resources ---

  /** What lies behind a BAR as the CPU sees it: an open bus unless the function decodes. */
  barMemory(index: number): RegisterBlock {
    return this.function.bars[index]?.decoded ?? OPEN_BUS;
  }

  /** Legacy VGA, by bus address. */
  get vgaMemory(): RegisterBlock {
    return this.function.vga;
  }

  get #line(): IrqLine | undefined {
    const isConnected = this.irq !== 0 && this.irq !== IRQ_NOTCONNECTED;
    return isConnected ? this.bus.topology.irqLines.line(this.irq) : undefined;
  }
}
