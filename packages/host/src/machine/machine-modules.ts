import { parseModuleIds, VFIO_PCI, type VfioPciDriver } from '@vfiokit/core';
import type { PciBusDevice } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { MachineDescription, ModuleSpec } from './description.js';
import { modelDriver } from './model-driver.js';
import { moduleOf, type VfioSurroundings, vfioDriver } from './vfio-driver.js';

/** The kernel modules of a described machine: what is loaded, what can be, and the drivers that come with them. */
export class MachineModules {
  constructor(
    private readonly description: MachineDescription,
    /** Every VFIO driver that the machine's kernel was built with. */
    private readonly vfioDrivers: readonly VfioPciDriver[],
    private readonly surroundings: VfioSurroundings,
  ) {}

  /** Registers the drivers of everything that is there from the start, native ones first. */
  boot(): void {
    const { modules, vfio } = this.description;
    for (const module of modules) if (module.state !== 'available') this.#register(module);
    for (const driver of this.vfioDrivers)
      if (vfio.loaded!.includes(driver.name)) this.#registerVfio(driver);
  }

  /** @throws VfioError `EPERM` for a blacklisted module, `ENOENT` for one that is not installed. */
  load(name: string): void {
    const { blacklist, modules, vfio, name: machine } = this.description;
    const module = moduleOf(name);
    if (blacklist.some((one) => moduleOf(one) === module))
      throw new VfioError('EPERM', `${module}: administratively prohibited: it is blacklisted`);
    if (this.surroundings.core.modules.has(module)) return;
    const native = modules.find((one) => one.name === module && one.state === 'available');
    const installed = [...vfio.loaded!, ...vfio.available!];
    const variant = this.vfioDrivers.find(
      (one) => moduleOf(one.name) === module && installed.includes(one.name),
    );
    if (native !== undefined) this.#register(native);
    else if (variant !== undefined) this.#registerVfio(variant);
    else throw new VfioError('ENOENT', `${module}: not installed on ${machine}`);
  }

  /**
   * @throws VfioError `EBUSY` while a device of it is open, `ENOENT` for one that is not loaded, `EPERM` for one that is
   *   compiled in.
   */
  async unload(name: string): Promise<void> {
    const { core, bus } = this.surroundings;
    const module = core.modules.get(moduleOf(name));
    if (module === undefined) throw new VfioError('ENOENT', `${name}: not loaded`);
    if (module.builtIn) throw new VfioError('EPERM', `${name}: compiled into the kernel`);
    const pci = bus();
    const drivers = [...pci.drivers.values()].filter((driver) => driver.module === module.name);
    const open = drivers
      .flatMap((driver) => pci.devicesOf(driver))
      .find((device) => this.#openCount(device) > 0);
    if (open !== undefined)
      throw new VfioError(
        'EBUSY',
        `${name}: ${open.name} is open; close it before the module is unloaded`,
      );
    for (const driver of drivers) await pci.unregister(driver);
    core.forgetModule(module.name);
  }

  #openCount(device: PciBusDevice): number {
    const { function: functionOf, vfio } = this.surroundings;
    return vfio.device(functionOf(device))?.openCount ?? 0;
  }

  #register({ name, state, drivers }: ModuleSpec): void {
    const { core, bus } = this.surroundings;
    core.module(name).builtIn = state === 'builtin';
    for (const driver of drivers) bus().register(modelDriver(driver, name, this.surroundings));
  }

  #registerVfio(driver: VfioPciDriver): void {
    const { core, vfio, bus } = this.surroundings;
    const registered = vfioDriver(driver, this.surroundings);
    bus().register(registered);
    if (driver.name !== VFIO_PCI.name) return;
    const { ids, warnings } = parseModuleIds(vfio.parameters.ids);
    for (const warning of warnings) core.log.write('warning', driver.name, warning);
    for (const id of ids) bus().appendId(registered, id);
  }
}
