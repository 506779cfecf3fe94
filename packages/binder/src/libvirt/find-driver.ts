import type { Sysfs } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { moduleName } from '../modules/modprobe-config.js';
import type { ModuleLoader } from '../transaction/module-loader.js';

/**
 * The PCI driver that a name stands for, loading its module if need be: the name itself, the name with underscores, the
 * driver that the module of that name links to (virpci.c: virPCIDeviceFindDriver).
 *
 * @throws VfioError for a module that can't be loaded, vanishes, or has no PCI driver.
 */
export async function findDriver(
  sysfs: Sysfs,
  loader: ModuleLoader,
  wanted: string,
): Promise<string> {
  const exists = async (driver: string) =>
    typeof (await sysfs.list(`/sys/bus/pci/drivers/${driver}`)) !== 'number';
  if (await exists(wanted)) return wanted;
  const module = moduleName(wanted);
  if (module !== wanted && (await exists(module))) return module;
  const folder = `/sys/module/${module}`;
  if (typeof (await sysfs.list(folder)) === 'number') {
    const problem = await loader.load(module);
    if (problem !== undefined) throw new VfioError('ENOENT', `${module}: ${problem.message}`);
    if (typeof (await sysfs.list(folder)) === 'number')
      throw new VfioError('ENOENT', `${module}: loading it reported success, and it is missing`);
  }
  const links = await sysfs.list(`${folder}/drivers`);
  const driver = (typeof links === 'number' ? [] : links)
    .find((name) => name.startsWith('pci:'))
    ?.slice('pci:'.length);
  if (driver === undefined)
    throw new VfioError('ENODEV', `${module}: the module implements no PCI driver`);
  if (!(await exists(driver)))
    throw new VfioError('ENODEV', `${module}: links to the driver ${driver}, which is missing`);
  return driver;
}
