import type { DeviceFacts } from '../facts/device-facts.js';
import type { GroupFacts } from '../facts/group-facts.js';
import type { HostFacts } from '../facts/host-facts.js';
import type { ModuleIndex } from '../modules/module-index.js';
import type { FieldMatch } from '../modules/vfio-alias.js';
import type { DriverKnowledge, Feature } from './driver-knowledge.js';

/** What somebody asks for. */
export interface SelectionRequest {
  /** The name of a policy. */
  readonly policy: string;
  /** `strict` reports what `libvirt-exact` decides in silence. */
  readonly mode: 'strict' | 'libvirt-exact';
  /** The driver that a person named. */
  readonly driver?: string;
  /** Drivers to try, in this order, for the policy `chain`. */
  readonly chain?: readonly string[];
  /** What the driver has to be able to do. */
  readonly features?: readonly Feature[];
  /** The module that a tie goes to. */
  readonly tieBreaker?: string;
  /** What was decided before, for the policy `pinned`. */
  readonly pinned?: PinnedDecision;
  /** Whether a missing driver may be made up for by the next best one. */
  readonly fallBack?: boolean;
}

/** A decision to be kept as it was, and what it was based on. */
export interface PinnedDecision {
  readonly driver: string;
  readonly modalias: string;
  readonly release: string;
  /** Digest of the module index then. */
  readonly digest: string;
}

/** What a policy decides from. Nothing else may play a part: the same input gives the same answer. */
export interface SelectionInput {
  readonly request: SelectionRequest;
  readonly device: DeviceFacts;
  readonly group: GroupFacts | undefined;
  readonly host: HostFacts;
  /** The module index of the machine's kernel; undefined if there is none. */
  readonly index: ModuleIndex | undefined;
  readonly knowledge: DriverKnowledge;
}

/** A driver that a policy would take. */
export interface Candidate {
  /** What the policy named: a driver or a module. */
  readonly name: string;
  /** The PCI driver it stands for; undefined until the module has been loaded. */
  readonly driver: string | undefined;
  readonly module: string | undefined;
  /** Whether the driver is there now, its module can be loaded, or neither is known. */
  readonly presence: 'registered' | 'loaded' | 'loadable' | 'builtin' | 'missing' | 'unknown';
  readonly why: string;
  /** The line of the index that named it. */
  readonly pattern?: string;
  readonly line?: number;
  readonly score?: number;
  readonly fields?: readonly FieldMatch[];
  /** What is known of its abilities before it is bound. */
  readonly features: readonly Feature[];
}

export type RejectionCode =
  | 'not-in-index'
  | 'not-installed'
  | 'blacklisted'
  | 'no-pci-driver'
  | 'not-vfio'
  | 'lacks-feature'
  | 'less-specific'
  | 'later-in-file'
  | 'not-asked-for'
  | 'unknown-name'
  | 'malformed-index'
  | 'stale';

/** A driver that was looked at and not taken. */
export interface Rejection {
  readonly name: string;
  readonly code: RejectionCode;
  readonly reason: string;
}

/** A policy's answer. Without candidates it is a refusal, or nothing has to be done. */
export interface PolicyAnswer {
  /** In the order in which they are to be tried. */
  readonly candidates: readonly Candidate[];
  readonly rejections: readonly Rejection[];
  /** The sentence that tells which rule decided. */
  readonly rule: string;
  /** `first` stops at the first failure, `chain` goes on to the next, `provided` binds nothing. */
  readonly style: 'first' | 'chain' | 'provided';
  /** Modules that share the best rank. */
  readonly tie?: readonly string[];
  readonly refusal?: string;
  readonly warnings?: readonly string[];
}

/**
 * A way to choose a driver. Token: `SELECTION_POLICIES`. A policy is a pure function: it touches no machine, and two
 * calls with the same input give the same answer. Contract: `selectionPolicyCases`.
 */
export interface SelectionPolicy {
  /** What `--policy` takes. */
  readonly name: string;
  /** One sentence for people. */
  readonly summary: string;
  choose(input: SelectionInput): PolicyAnswer;
}

/** An answer that refuses. */
export function refuse(reason: string, rejections: readonly Rejection[] = []): PolicyAnswer {
  return { candidates: [], rejections, rule: reason, style: 'first', refusal: reason };
}
