import type { ArgsDef, ParsedArgs } from 'citty';
import type { Io } from './io.js';

/** Exit statuses: fine, the answer is no or something failed, the command line is wrong. */
export const EXIT_OK = 0;
export const EXIT_NO = 1;
export const EXIT_USAGE = 2;

/** A command line that can't be meant; the message says what is wrong and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Which machine a command line means, and what it is to be built with if it is a model. */
export interface MachineChoice {
  /** What stood behind `--machine`; `live` without it. */
  readonly name: string;
  /** What stood behind each `--variant`: modules that bring drivers of others. */
  readonly variants?: readonly string[];
}

/** What a command gets when it runs. */
export interface Invocation<T extends ArgsDef = ArgsDef> {
  readonly args: ParsedArgs<T>;
  /** The words behind the command's name, for options that may be said more than once. */
  readonly raw: readonly string[];
  readonly machine: MachineChoice;
  readonly io: Io;
}

/** A command of vfiokit as its file defines it. Add one as `commands/NAME.ts` and name it in `composition.ts`. */
export interface CommandDefinition<T extends ArgsDef = ArgsDef> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Command lines that work, without the leading `vfiokit`. */
  readonly examples: readonly string[];
  /** Positional arguments and options. `help` is everybody's. */
  readonly args: T;
  /** More than one value may stand where the last positional argument is. */
  readonly variadic?: boolean;
  /** It looks at no machine that a command line could name. */
  readonly ownMachines?: boolean;
  /** @returns the exit status; throws VfioError for what fails, {@link UsageError} for what was asked wrongly. */
  run(invocation: Invocation<T>): Promise<number> | number;
}

/** A command as the command line sees it, whatever its arguments are. */
export type Command = CommandDefinition;

/** Gives a command literal its types. */
export function command<const T extends ArgsDef>(definition: CommandDefinition<T>): Command {
  return {
    ...definition,
    // The arguments have been parsed by this very definition.
    run: (invocation) => definition.run(invocation as unknown as Invocation<T>),
  };
}

/** The option that every command with a result has. */
export const JSON_OPTION = {
  type: 'boolean',
  description: 'One JSON document on standard output',
} as const;
