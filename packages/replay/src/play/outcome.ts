import type { Mismatch } from '../result/difference.js';
import { describeReturn } from '../trace/describe.js';
import type { TraceOp } from '../trace/trace.js';

/** What the model answered to an operation; what is absent is not compared. */
export interface Outcome {
  readonly ret?: number | 'newfd';
  /** Bytes that came back, in hex; `''` if the argument was left as it was. */
  readonly out?: string;
  readonly touch?: 'ok' | 'SIGBUS';
  readonly byte?: number;
  readonly bitmap?: string;
  readonly rpm?: string;
  readonly mem?: string;
  /** A driver is bound afterwards. */
  readonly bound?: boolean;
}

/** Nothing to compare but effects. */
export const NOTHING: Outcome = {};

/** The fields of a record that an outcome is compared with. */
interface Recorded {
  readonly ret?: number | 'newfd';
  readonly out?: string;
  readonly touch?: string;
  readonly byte?: number;
  readonly bitmap?: string;
  readonly rpm?: string;
  readonly hex?: string;
  readonly bound?: boolean;
}

/** Adds the ways in which an outcome differs from the record. */
export function compareOutcome(op: TraceOp, outcome: Outcome, into: Mismatch[]): void {
  const recorded = op as Recorded;
  if (outcome.ret !== undefined && outcome.ret !== recorded.ret)
    into.push({
      aspect: 'ret',
      recorded: describeReturn(recorded.ret ?? 0),
      model: describeReturn(outcome.ret),
    });
  if (outcome.out !== undefined && outcome.out !== (recorded.out ?? ''))
    compareBytes(recorded.out ?? '', outcome.out, into);
  for (const aspect of ['touch', 'byte', 'bitmap', 'rpm', 'bound'] as const) {
    const model = outcome[aspect];
    if (model !== undefined && recorded[aspect] !== undefined && model !== recorded[aspect])
      into.push({ aspect, recorded: String(recorded[aspect]), model: String(model) });
  }
  if (outcome.mem !== undefined && outcome.mem !== recorded.hex)
    into.push({ aspect: 'mem', recorded: recorded.hex ?? '', model: outcome.mem });
}

/** Compares hex with recorded hex in which `..` stands for any byte, and `*` for any number of them. */
function compareBytes(recorded: string, model: string, into: Mismatch[]): void {
  if (recorded === '*') return;
  const offsets: number[] = [];
  for (let at = 0; at < Math.max(recorded.length, model.length); at += 2) {
    const byte = recorded.slice(at, at + 2);
    if (byte !== '..' && byte !== model.slice(at, at + 2)) offsets.push(at / 2);
  }
  if (offsets.length > 0) into.push({ aspect: 'out', recorded, model, offsets });
}
