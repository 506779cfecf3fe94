import type { Blocking } from '@vfiokit/driver-model';
import type * as v from 'valibot';
import type { ApWorld, VfioApControls } from '../design/ap-design.js';

/** Who does something. */
export type Actor =
  | 'administrator'
  | 'operator'
  | 'VMM'
  | 'guest'
  | 'host program'
  | 'hardware'
  | 'time';

/** One verb of scenarios: what it takes, who does it, what it is in words, what it does. */
export interface StepKind<T = unknown> {
  readonly actor: Actor;
  readonly schema: v.GenericSchema<unknown, T>;
  /** The step as a sentence without a subject. */
  describe(input: T): string;
  /**
   * Carries it out. What is refused throws VfioError.
   *
   * @returns a promise if it blocks, or a word for what the hardware has answered.
   */
  perform(world: ApWorld, input: T): Blocking<void> | string;
}

/** Gives a verb's literal its types. */
export function stepKind<T>(
  actor: Actor,
  schema: v.GenericSchema<unknown, T>,
  describe: (input: T) => string,
  perform: (world: ApWorld, input: T) => Blocking<void> | string,
): StepKind<T> {
  return { actor, schema, describe, perform };
}

/** Thrown by a step that a design has no counterpart for. */
export class NotInThisDesign extends Error {
  override readonly name = 'NotInThisDesign';
}

/** The controls of today's kernel. @throws NotInThisDesign where there are none. */
export function controlsOf(world: ApWorld): VfioApControls {
  if (world.vfioAp === undefined) throw new NotInThisDesign(`not in ${world.design.name}`);
  return world.vfioAp;
}
