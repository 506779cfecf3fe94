import type { ApFunctions, TapqInfo } from './tapq-info.js';

/** How an adapter stands: working, taken out of the configuration by an operator, or stopped by a hardware error. */
export type AdapterState = 'configured' | 'standby' | 'checkstopped';

/** What an adapter is made of. What is left out is a CEX7 coprocessor's. */
export interface AdapterSpec {
  /** The raw hardware type, 10 (CEX4) to 14 (CEX8) or a newer one. */
  readonly type?: number;
  /** The older type that QACT names for a newer one; 0 for none. */
  readonly compatibleType?: number;
  readonly functions?: Partial<ApFunctions>;
  /** How many domains it has, from domain 0 on. */
  readonly domains?: number;
  /** How many messages a queue takes. */
  readonly depth?: number;
  readonly maxMessagePages?: number;
}

const DEFAULT_FUNCTIONS: ApFunctions = {
  apsc: true,
  ap4km: true,
  ap4kc: true,
  mode: 'cca',
  apxa: true,
  commandFilter: false,
  class: 0,
};

/** What TAPQ tells of an adapter's queues. */
export function adapterInfo(spec: AdapterSpec): TapqInfo {
  return {
    functions: { ...DEFAULT_FUNCTIONS, ...spec.functions },
    bindState: 0,
    type: spec.type ?? 13,
    domains: Math.min(spec.domains ?? 256, 255),
    maxMessagePages: spec.maxMessagePages ?? 0,
    depthMinusOne: (spec.depth ?? 8) - 1,
  };
}
