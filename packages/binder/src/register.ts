import type { DependencyContainer } from 'tsyringe';
import { Planner } from './decision/planner.js';
import { ALIAS_BEST_MATCH } from './policy/alias-best-match.js';
import { ARCH } from './policy/arch.js';
import { CAPABILITY } from './policy/capability.js';
import { CHAIN } from './policy/chain.js';
import { type DriverKnowledge, LINUX_7_2 } from './policy/driver-knowledge.js';
import { GENERIC } from './policy/generic.js';
import { ID_TABLE } from './policy/id-table.js';
import { NATIVE_PROVIDER } from './policy/native-provider.js';
import { PINNED } from './policy/pinned.js';
import type { SelectionPolicy } from './policy/policy.js';
import { USER_OVERRIDE } from './policy/user-override.js';
import { DRIVER_KNOWLEDGE, SELECTION_POLICIES } from './tokens.js';

/** The policies that ship, P1 to P9 in the order of the discussion that they come from. */
export const POLICIES: readonly SelectionPolicy[] = [
  GENERIC,
  ID_TABLE,
  ARCH,
  ALIAS_BEST_MATCH,
  CHAIN,
  USER_OVERRIDE,
  NATIVE_PROVIDER,
  CAPABILITY,
  PINNED,
];

export interface BinderOptions {
  /** What the tool knows of drivers; the ones of Linux 7.2 if absent. */
  readonly knowledge?: DriverKnowledge;
}

/** Puts the policies and the planner on a container; `container.resolve(Planner)` is the way in. */
export function registerBinder(container: DependencyContainer, options: BinderOptions = {}): void {
  container.register(DRIVER_KNOWLEDGE, { useValue: options.knowledge ?? LINUX_7_2 });
  for (const policy of POLICIES) container.register(SELECTION_POLICIES, { useValue: policy });
  container.registerSingleton(Planner);
}
