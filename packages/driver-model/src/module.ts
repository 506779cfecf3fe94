import { Directory, linkTo, type SysfsDirectory, textFile } from './sysfs/node.js';

/** A module as `/sys/module` shows it (struct module_kobject). Its name is spelled with underscores. */
export class Module {
  /** Paths of the drivers it has registered, by the name that their link has: `pci:vfio-pci`. */
  readonly drivers = new Map<string, string>();
  readonly parameters = new Directory();
  /** Compiled into the kernel: no state, can't be unloaded. */
  builtIn = false;
  /** What keeps it from being unloaded: open devices, modules that lean on it. */
  references = 0;

  constructor(readonly name: string) {}
}

/** The directory of a module. One without drivers has no `drivers`. */
export function moduleNode(module: Module): SysfsDirectory {
  const directory = new Directory();
  if (!module.builtIn) {
    directory.set('initstate', textFile('live\n'));
    directory.set(
      'refcnt',
      textFile(() => `${module.references}\n`),
    );
  }
  if (!module.parameters.empty) directory.set('parameters', module.parameters);
  if (module.drivers.size > 0) {
    const drivers = directory.directory('drivers');
    for (const [name, path] of module.drivers) drivers.set(name, linkTo(path));
  }
  return directory;
}
