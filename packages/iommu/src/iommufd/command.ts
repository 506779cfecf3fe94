import {
  copySizedIn,
  copyStructOut,
  type IoctlArgument,
  type Process,
  type Struct,
  type StructOf,
} from '@vfiokit/uapi';
import type { IommufdContext } from './context.js';

/** What a command answers: 0 or a negated errno, and what it writes back of its structure, even on failure. */
export interface CommandResult<T> {
  readonly result: number;
  readonly out: Partial<T>;
}

/** A command of /dev/iommu (iommufd/main.c: struct iommufd_ioctl_op). */
export interface Command {
  readonly run: (context: IommufdContext, argument: IoctlArgument, caller: Process) => number;
}

/**
 * Describes a command: its structure, the smallest size that it accepts, and what it does with it.
 *
 * The handler answers a negated errno, or members to write back.
 */
export function command<M>(
  layout: Struct<M>,
  minimum: number,
  handler: (
    context: IommufdContext,
    input: StructOf<Struct<M>>,
    caller: Process,
  ) => number | CommandResult<StructOf<Struct<M>>> | Partial<StructOf<Struct<M>>>,
): Command {
  return {
    run(context, argument, caller) {
      const input = copySizedIn(argument, layout, minimum);
      if (typeof input === 'number') return input;
      const answer = handler(context, input, caller);
      if (typeof answer === 'number') return answer;
      const { result, out } = isResult(answer) ? answer : { result: 0, out: answer };
      const { size } = input as { size: number };
      return copyStructOut(argument, layout, out, size) || result;
    },
  };
}

function isResult<T>(answer: object): answer is CommandResult<T> {
  return 'result' in answer && 'out' in answer;
}
