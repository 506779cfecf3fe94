import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { MACHINE, type MachineDescription, type MachineLiteral } from './description.js';

/**
 * Reads a machine's description.
 *
 * @param name the file, for messages.
 * @throws VfioError `EINVAL` with line and column of everything that is wrong.
 */
export function readDescription(text: string, name: string): MachineDescription {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  if (document.errors.length > 0)
    throw new VfioError(
      'EINVAL',
      document.errors
        .map((error) => `${place(error.pos[0])}: ${withoutPlace(error.message)}`)
        .join('\n'),
    );
  const parsed = v.safeParse(MACHINE, plainValue(document, name));
  if (!parsed.success)
    throw new VfioError(
      'EINVAL',
      parsed.issues
        .map((issue) => `${place(offsetOf(document, issue))}: ${describeIssue(issue)}`)
        .join('\n'),
    );
  return checked(parsed.output, name);
}

/** A description from a literal, for programs. @throws VfioError `EINVAL`. */
export function describeMachine(literal: MachineLiteral): MachineDescription {
  const parsed = v.safeParse(MACHINE, literal);
  if (!parsed.success)
    throw new VfioError(
      'EINVAL',
      parsed.issues.map((issue) => `${literal.name}: ${describeIssue(issue)}`).join('\n'),
    );
  return checked(parsed.output, literal.name);
}

type Issue = v.BaseIssue<unknown>;

function describeIssue(issue: Issue): string {
  const path = (issue.path ?? []).map((part) => String(part.key)).join('.');
  return `${path === '' ? 'the machine' : path}: ${complaint(issue)}`;
}

/** The schema's own messages as they are, those of its library in the words of these. */
function complaint({ message, expected, received }: Issue): string {
  if (!/^Invalid \w+: /.test(message)) return message;
  if (received === 'undefined') return 'is missing';
  if (expected === 'never') return 'no such key';
  return `must be ${expected === 'Object' ? 'a map of keys' : expected}, not ${received}`;
}

/** yaml repeats the place, which stands in front already, and points at it in further lines. */
function withoutPlace(message: string): string {
  return message.split('\n')[0]!.replace(/ at line \d+, column \d+:$/, '');
}

function plainValue(document: Document, name: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // An alias without its anchor, or one that grows beyond measure, is found only now.
    throw new VfioError('EINVAL', `${name}: ${withoutPlace((cause as Error).message)}`, { cause });
  }
}

/** Where the offending value stands, or for a key that is missing what should hold it. */
function offsetOf(document: Document, issue: Issue): number {
  const path = (issue.path ?? []).map((part) => part.key);
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

/** What no schema says: names that stand once, bridges that lead somewhere, interfaces that some function provides. */
function checked(machine: MachineDescription, name: string): MachineDescription {
  const problem = (text: string): never => {
    throw new VfioError('EINVAL', `${name}: ${text}`);
  };
  const seen = new Set<string>();
  for (const { at } of machine.functions) {
    if (seen.has(at)) problem(`functions: ${at} stands there twice`);
    seen.add(at);
  }
  const provided = machine.functions.flatMap(({ provides }) => Object.values(provides));
  if (machine.root !== undefined && !provided.includes(machine.root))
    problem(`root: no function provides "${machine.root}"`);
  if (machine.defaultRoute !== undefined && !provided.includes(machine.defaultRoute))
    problem(`defaultRoute: no function provides "${machine.defaultRoute}"`);
  return machine;
}
