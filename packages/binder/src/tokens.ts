import type { InjectionToken } from 'tsyringe';
import type { DriverKnowledge } from './policy/driver-knowledge.js';
import type { SelectionPolicy } from './policy/policy.js';

/** Ways to choose a driver, by their names. Several. */
export const SELECTION_POLICIES: InjectionToken<SelectionPolicy> = Symbol('SELECTION_POLICIES');
/** What the tool knows of drivers by itself. */
export const DRIVER_KNOWLEDGE: InjectionToken<DriverKnowledge> = Symbol('DRIVER_KNOWLEDGE');
