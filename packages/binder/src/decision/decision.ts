import type { ViabilityEffect } from '../facts/group-facts.js';
import type { IndexIdentity } from '../modules/module-index.js';
import type { Candidate, Rejection, SelectionRequest } from '../policy/policy.js';
import type { Guard } from './guards.js';
import type { Operation, Target } from './operation.js';

/** One fact as it stands in a record. */
export interface RecordedFact {
  readonly name: string;
  /** null for "none", absent for "could not be observed". */
  readonly value?: string | number | null;
  readonly source: string;
}

export interface RecordedMember {
  readonly device: string;
  readonly class: string;
  readonly driver: string | null | undefined;
  readonly effect: ViabilityEffect;
  /** `keep` is one that has its driver already. */
  readonly action: 'bind' | 'keep' | 'leave';
}

/**
 * A decision and everything that led to it: what was asked, seen, considered, rejected and is to be done. The same input
 * gives the same record, byte for byte.
 */
export interface Decision {
  readonly version: 1;
  readonly request: SelectionRequest & {
    readonly device: string;
    readonly wholeGroup: boolean;
    readonly force: boolean;
  };
  readonly facts: readonly RecordedFact[];
  readonly kernel: { readonly release: string | null; readonly index: IndexIdentity | null };
  readonly candidates: readonly Candidate[];
  readonly rejections: readonly Rejection[];
  readonly tie: readonly string[];
  /** The first candidate, which is bound. */
  readonly chosen: Candidate | null;
  /** The sentence that tells which rule decided. */
  readonly rule: string;
  readonly outcome: 'bind' | 'nothing-to-do' | 'already-provided' | 'refused';
  /** Why it was refused, with what would help. */
  readonly refusal: string | null;
  /** What libvirt would take, byte for byte, and whether that is something else. */
  readonly libvirtExact: {
    readonly driver: string | null;
    readonly note: string;
    readonly differs: boolean;
  };
  readonly group: {
    readonly number: string;
    readonly viableNow: boolean | null;
    readonly viableAfter: boolean | null;
    readonly members: readonly RecordedMember[];
  } | null;
  readonly guards: readonly Guard[];
  readonly operations: readonly Operation[];
  readonly targets: readonly Target[];
  readonly unobserved: readonly string[];
  readonly warnings: readonly string[];
}
