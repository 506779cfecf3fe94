import type { StepKind } from './step-kind.js';
import { ADMINISTRATOR_STEPS } from './steps/administrator.js';
import { GUEST_STEPS } from './steps/guest.js';
import { MACHINE_STEPS } from './steps/machine.js';

const KINDS = { ...ADMINISTRATOR_STEPS, ...GUEST_STEPS, ...MACHINE_STEPS } as const;

/** A verb of scenarios. */
export type Verb = keyof typeof KINDS;

/** The verbs of scenarios by name. Each checks its own input, whose type nobody else needs. */
export const STEP_KINDS = KINDS as unknown as Readonly<Record<Verb, StepKind>>;
