import { nearest } from '../facts/nearest.js';
import { moduleName } from '../modules/modprobe-config.js';
import { findKnown } from './driver-knowledge.js';
import type { Candidate, Rejection, SelectionInput } from './policy.js';

/** Where a driver name comes from, or why there is none. */
export type Resolution =
  | { readonly kind: 'driver'; readonly driver: string; readonly module: string | undefined }
  /** The module has to be loaded; what its driver is called is then read from its links. */
  | { readonly kind: 'load'; readonly module: string; readonly predicted: string | undefined }
  | { readonly kind: 'error'; readonly rejection: Rejection };

/**
 * The PCI driver that a name stands for: a driver's own name, else one spelled with underscores, else the driver that the
 * module of that name has registered, else a module to be loaded. Underscores are never turned into dashes by guess
 * (libvirt, virpci.c: virPCIDeviceFindDriver).
 */
export function resolveDriver(name: string, input: Omit<SelectionInput, 'request'>): Resolution {
  const { host, index, knowledge } = input;
  const module = moduleName(name);
  const error = (code: Rejection['code'], reason: string): Resolution => ({
    kind: 'error',
    rejection: { name, code, reason },
  });
  for (const driver of [name, module]) {
    const found = host.drivers.get(driver);
    if (found !== undefined) return { kind: 'driver', driver, module: found.module };
  }
  const driver = host.moduleDrivers.get(module)?.[0];
  if (driver !== undefined) return { kind: 'driver', driver, module };
  if (host.loadedModules.has(module))
    return error('no-pci-driver', `module ${module} is loaded and has no PCI driver`);
  if (index?.blacklisted(module))
    return error(
      'blacklisted',
      `module ${module} is administratively prohibited: it is blacklisted`,
    );
  const predicted = findKnown(knowledge, name)?.driver;
  if (index?.has(module)) return { kind: 'load', module, predicted };
  // Without an index nobody knows what can be loaded; a driver that the tool knows may be there.
  if (index === undefined && predicted !== undefined) return { kind: 'load', module, predicted };
  const names = [...host.drivers.keys(), ...knowledge.drivers.map((one) => one.driver)];
  const near = nearest(name, [...new Set(names)]);
  const hint =
    near.length > 0 && !near.includes(name) ? `; did you mean ${near.join(' or ')}?` : '';
  return error(
    predicted === undefined ? 'unknown-name' : 'not-installed',
    predicted === undefined
      ? `no driver or module ${name} is known here${hint}`
      : `module ${module} is not installed for this kernel`,
  );
}

/** A candidate for a name, or why there is none. */
export function candidateFor(
  name: string,
  why: string,
  input: Omit<SelectionInput, 'request'>,
  more: Pick<Candidate, 'pattern' | 'line' | 'score' | 'fields'> = {},
): Candidate | Rejection {
  const resolution = resolveDriver(name, input);
  if (resolution.kind === 'error') return resolution.rejection;
  const features = findKnown(input.knowledge, name)?.features ?? [];
  const common = { name, why, features, ...more };
  if (resolution.kind === 'driver') {
    const { driver, module } = resolution;
    return { ...common, driver, module, presence: 'registered' };
  }
  const { module, predicted } = resolution;
  const presence =
    input.index === undefined
      ? 'unknown'
      : input.index.builtin.has(module)
        ? 'builtin'
        : 'loadable';
  return { ...common, driver: predicted, module, presence };
}

export function isRejection(one: Candidate | Rejection): one is Rejection {
  return 'code' in one;
}
