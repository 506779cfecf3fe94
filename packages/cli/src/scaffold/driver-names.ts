import { basename } from 'node:path';

/** What a scaffolded driver and the things of its package are called. */
export interface DriverNames {
  /** As the author gave it: `acme`, `acme-nic`. */
  readonly name: string;
  /** The package's folder, seen from the root of the clone. */
  readonly directory: string;
  /** After its folder, as there can be only one of them: `@vfiokit/example-acme-nic`. */
  readonly packageName: string;
  /** `acme_nic_vfio_pci`, as the kernel names derived drivers. */
  readonly driver: string;
  /** The driver's literal: `ACME_NIC_VFIO_PCI`. */
  readonly constant: string;
  /** `registerAcmeNic` */
  readonly register: string;
  /** `acmeNicVariant` */
  readonly variant: string;
  /** `acmeNicMachine` */
  readonly machine: string;
}

/** A name that files, packages and drivers can have. The driver's own name gets its ending here. */
const NAME = /^(?!.*-?vfio-pci$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** Where packages of drivers stand: the workspace finds them there, and the floors of the house don't count. */
const DIRECTORY = /^examples\/[a-z0-9][a-z0-9._-]*$/;

/** What is wrong with a name, and which could stand in its place; undefined for a good one. */
export function nameProblem(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  const better = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/(^|-)vfio-pci-?$/, '')
    .replace(/^[^a-z]+|-+$/g, '');
  return `${name}: no name for a driver, which begins with a letter, has lower case, digits and single hyphens, and gets its _vfio_pci by itself; say \`vfiokit new driver ${better || 'acme'}\``;
}

/** What is wrong with a folder, and which could stand in its place; undefined for a good one. */
export function directoryProblem(directory: string): string | undefined {
  if (DIRECTORY.test(directory)) return undefined;
  const better = basename(directory)
    .toLowerCase()
    .replace(/^[^a-z0-9]+|[^a-z0-9._-]+/g, '');
  return `${directory}: no place for a driver's package; the workspace has them one folder below examples, such as examples/${better || 'acme'}`;
}

/** Derives all names from the one that the author gave. */
export function driverNames(name: string, directory: string): DriverNames {
  const driver = `${name.replaceAll('-', '_')}_vfio_pci`;
  const pascal = name
    .split('-')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  const camel = pascal[0]!.toLowerCase() + pascal.slice(1);
  return {
    name,
    directory,
    packageName: `@vfiokit/example-${basename(directory)}`,
    driver,
    constant: driver.toUpperCase(),
    register: `register${pascal}`,
    variant: `${camel}Variant`,
    machine: `${camel}Machine`,
  };
}
