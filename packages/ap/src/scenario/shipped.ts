import { readFileSync } from 'node:fs';
import { VfioError } from '@vfiokit/uapi';

/** The scenarios that come with the package, by name, each with what it is for. */
export const SHIPPED_SCENARIOS = {
  's390x-lpar': 'two guests with crypto, and a host that keeps two domains of one adapter',
  veto: 'the host wants a queue back that a guest uses',
  comparison: 'what each design allows: the disputed cases one after the other',
  'hot-plug': 'adapters and domains come and go under running guests',
  'stolen-queue': 'why there is a veto: the kernel before it lets root take a queue from a guest',
} as const;

export type ShippedScenario = keyof typeof SHIPPED_SCENARIOS;

export function isShippedScenario(name: string): name is ShippedScenario {
  return Object.hasOwn(SHIPPED_SCENARIOS, name);
}

/** The text of a shipped scenario. @throws VfioError `ENOENT`. */
export function shippedScenario(name: string): string {
  if (!isShippedScenario(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such scenario; there are ${Object.keys(SHIPPED_SCENARIOS).join(', ')}`,
    );
  return readFileSync(new URL(`../../scenarios/${name}.yaml`, import.meta.url), 'utf8');
}
