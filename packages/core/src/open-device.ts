import type { DeviceDoor } from '@vfiokit/iommu';
import {
  IRQ_NOTCONNECTED,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_D0,
  type PciDevice,
} from '@vfiokit/pci';
import { ENODEV, VfioError } from '@vfiokit/uapi';
import { createConfig, type DeviceConfig } from './config/create-config.js';
import type { VfioPciCoreDevice } from './core-device.js';
import { DeviceEffects } from './device-effects.js';
import { DmaBufs } from './dma-buf.js';
import {
  abandonFunction,
  disableFunction,
  type EnabledFunction,
  enableFunction,
} from './enable.js';
import type {
  ConfigRegister,
  DeviceOverride,
  DeviceRegionProvider,
  DmaBufProvider,
  IoctlHandler,
  OpeningDevice,
} from './extension.js';
import type { Extensions } from './extensions.js';
import { Interrupts } from './interrupts/interrupts.js';
import { IoEventFds } from './ioeventfds.js';
import { LowPower } from './low-power.js';
import { AddedRegion } from './regions/added-region.js';
import { FixedRegions } from './regions/fixed-regions.js';
import { Mappings } from './regions/mappings.js';
import { MemoryGate } from './regions/memory-gate.js';
import { Positions } from './regions/positions.js';
import type { Region } from './regions/region.js';
import { UndoStack } from './undo-stack.js';

/**
 * A device between its first open and its last close.
 *
 * Opening enables the function and lays out what the user sees. Extensions are asked once, here; afterwards there are
 * only fields and arrays.
 */
export class OpenDevice {
  readonly pdev: PciDevice;
  readonly config: DeviceConfig;
  readonly gate: MemoryGate;
  readonly mappings: Mappings;
  readonly interrupts: Interrupts;
  readonly lowPower: LowPower;
  readonly ioEventFds: IoEventFds;
  readonly dmaBufs = new DmaBufs();
  readonly dmaBufProvider: DmaBufProvider | undefined;
  /** By index: six BARs, ROM, configuration, VGA, then what drivers added. */
  readonly regions: readonly Region[];
  readonly ioctl: IoctlHandler;
  /** How its file is divided into regions. */
  readonly positions: Positions;
  /** The virtual machine that user space has tied to it. */
  readonly kvm: object | undefined;
  readonly #enabled: EnabledFunction;
  readonly #fixed: FixedRegions;
  readonly #added: AddedRegion[] = [];
  /** What extensions deferred. */
  readonly #deferred = new UndoStack();
  /** What the open itself has to take back. */
  readonly #undos = new UndoStack();

  /**
   * @param door through which the first open came.
   * @param ioctl makes the core's own handler, in front of which overrides stand.
   * @throws VfioError with the errno that the open fails with; the function is as it was then.
   */
  constructor(
    readonly core: VfioPciCoreDevice,
    door: DeviceDoor,
    extensions: Extensions,
    ioctl: (device: OpenDevice) => IoctlHandler,
  ) {
    this.pdev = core.pdev;
    this.positions = new Positions(core.offsetShift);
    this.kvm = door.kvm;
    this.#enabled = enableFunction(core);
    try {
      this.#openPlatform();
      const opening = this.#opening();
      this.config = this.#readConfig(extensions.overrides, opening);
      this.gate = new MemoryGate(this.pdev, this.config.vconfig);
      this.lowPower = this.#createLowPower();
      const accessible = () => this.gate.open && !this.lowPower.engaged;
      this.mappings = new Mappings(core.kernel.pageSize, accessible);
      this.interrupts = this.#createInterrupts();
      this.#fixed = this.#createFixedRegions();
      const { bars, msixTable } = this.#fixed;
      this.ioEventFds = new IoEventFds(bars, this.barErrors, msixTable, this.positions);
      this.dmaBufProvider = extensions.dmaBuf;
      for (const hook of extensions.openHooks) hook.open(opening);
      this.#addRegions(extensions.regions, opening);
      this.regions = this.#overrideRegions(extensions.overrides, opening);
      this.ioctl = extensions.overrides.reduce(
        (next, override) => override.ioctl?.(next, opening) ?? next,
        ioctl(this),
      );
    } catch (error) {
      this.#deferred.unwind();
      this.#releaseRegions();
      this.#undos.unwind();
      abandonFunction(core);
      throw error;
    }
  }

  /** Why a BAR can't be accessed: 0 or a negated errno each. */
  get barErrors(): readonly number[] {
    return this.#fixed.barErrors;
  }

  /** A function reset succeeded when the device was opened. */
  get resetWorks(): boolean {
    return this.#enabled.resetWorks;
  }

  /**
   * The last close: what extensions deferred comes first, as a variant's close_device runs before the core's
   * (vfio_pci_core.c: vfio_pci_core_close_device, vfio_pci_core_disable).
   */
  close(): void {
    this.#deferred.unwind();
    this.dmaBufs.abandon();
    this.lowPower.exit();
    this.#wake();
    this.core.power.set(PCI_D0);
    this.pdev.setMaster(false);
    this.interrupts.disable();
    this.ioEventFds.removeAll();
    this.mappings.zap();
    this.#releaseRegions();
    this.#undos.unwind();
    disableFunction(this.core, this.#enabled);
  }

  /** Leaving low power counted the device as used, but it may still sleep. */
  #wake(): void {
    const { runtimePm } = this.pdev;
    if (runtimePm.get() === 0) runtimePm.putNoidle();
  }

  /** Memory is about to go: user mappings are dropped and exported buffers revoked. */
  suspendMemory(): void {
    this.mappings.zap();
    this.dmaBufs.move(true);
  }

  /** Exported buffers may be used again if memory is enabled now. */
  resumeMemory(): void {
    if (this.gate.open) this.dmaBufs.move(false);
  }

  // --- the parts, in the order in which an open makes them ---

  #openPlatform(): void {
    const { pdev, kvm } = this;
    for (const hook of this.core.platformHooks) {
      const error = hook.open?.(pdev, kvm) ?? 0;
      if (error < 0)
        throw VfioError.fromErrno(error, `${pdev.name}: the platform refused to open it`);
      this.#undos.push(() => hook.close?.(pdev, kvm));
    }
  }

  /** What extensions are handed. */
  #opening(): OpeningDevice {
    const { pdev, kvm } = this;
    const self = this;
    return {
      pdev,
      name: pdev.name,
      config: pdev.config,
      kvm,
      get vconfig() {
        return self.config.vconfig;
      },
      defer: (undo) => this.#deferred.push(undo),
      fixedRegion: (index) => this.#fixed.regions[index]!,
      mapBar: (bar) => {
        const error = this.barErrors[bar] ?? -ENODEV;
        if (error < 0)
          throw VfioError.fromErrno(error, `${pdev.name}: its BAR ${bar} can't be mapped`);
        return pdev.barMemory(bar);
      },
      mapMemory: ({ block, offset, length, accessible }) =>
        this.mappings.map(block, offset, length, accessible),
    };
  }

  #readConfig(overrides: readonly DeviceOverride[], opening: OpeningDevice): DeviceConfig {
    const { pdev, core } = this;
    const { nointx } = this.#enabled;
    const registers: ConfigRegister[] = overrides.flatMap((override) => [
      ...(override.configRegisters?.(opening) ?? []),
    ]);
    const config = createConfig({
      pdev,
      effects: new DeviceEffects(this),
      nointx,
      hidePin: !core.kernel.intx || nointx || pdev.irq === 0 || pdev.irq === IRQ_NOTCONNECTED,
      firmwareRomSize: pdev.romImage?.length ?? 0,
      quirks: core.quirks,
      registers,
    });
    if (typeof config === 'number')
      throw VfioError.fromErrno(config, `${pdev.name}: its configuration space can't be read`);
    return config;
  }

  #createLowPower(): LowPower {
    return new LowPower({
      runtimePm: this.pdev.runtimePm,
      memoryLock: this.core.memoryLock,
      suspendMemory: () => this.suspendMemory(),
      resumeMemory: () => this.resumeMemory(),
      maskActiveIntx: () => this.interrupts.intx.active && this.interrupts.intx.mask(),
      unmaskIntx: () => this.interrupts.intx.unmask(),
    });
  }

  #createInterrupts(): Interrupts {
    const { core, pdev, config } = this;
    return new Interrupts({
      pdev,
      vconfig: config.vconfig,
      err: core.err,
      req: core.req,
      canMaskAtDevice: this.#enabled.canMaskAtDevice,
      nointx: this.#enabled.nointx,
      get virqDisabled() {
        return config.command.virqDisabled;
      },
      fewVectorsFail: core.quirks.fewVectorsFail,
      vectorBlockAtomic: core.quirks.vectorBlockAtomic,
      msiEnabled: (vectors) => {
        core.msiQmax = Math.ceil(Math.log2(vectors));
      },
      withMemory: (run) => this.#withMemory(run),
    });
  }

  /** MSI-X tables lie in memory, which has to answer while they are written (vfio_pci_memory_lock_and_enable). */
  #withMemory<T>(run: () => T): T {
    const { config } = this.pdev;
    return this.core.memoryLock.run(() => {
      const command = config.read(PCI_COMMAND, 2);
      if ((command & PCI_COMMAND_MEMORY) === 0)
        config.write(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
      const result = run();
      config.write(PCI_COMMAND, 2, command);
      return result;
    });
  }

  #createFixedRegions(): FixedRegions {
    const { core, pdev, gate, mappings } = this;
    const { ioBarHonoursEnable } = core.quirks;
    return new FixedRegions({
      pdev,
      kernel: core.kernel,
      space: this.config.space,
      gate,
      mappings,
      disableVga: core.parameters.disable_vga,
      portGate: ioBarHonoursEnable ? new MemoryGate(pdev, this.config.vconfig, 'ports') : undefined,
      undos: this.#undos,
    });
  }

  #addRegions(providers: readonly DeviceRegionProvider[], opening: OpeningDevice): void {
    for (const provider of providers)
      for (const region of provider.regions(opening)) {
        const index = this.#fixed.regions.length + this.#added.length;
        this.#added.push(
          new AddedRegion(`${this.pdev.name}: region ${index}`, index, region, this.positions),
        );
      }
  }

  #overrideRegions(overrides: readonly DeviceOverride[], opening: OpeningDevice): Region[] {
    return [...this.#fixed.regions, ...this.#added].map((region, index) =>
      overrides.reduce<Region>(
        (next, override) => override.region?.(index, next, opening) ?? next,
        region,
      ),
    );
  }

  /** In order of registration. */
  #releaseRegions(): void {
    for (const region of this.#added.splice(0)) region.release();
  }
}
