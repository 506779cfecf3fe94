import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';
import type { AdapterSpec } from '../arch/adapter.js';
import type { HardwareSpec } from '../arch/hardware.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import { VFIO_AP_GENERATIONS, type VfioApGeneration } from '../vfio-ap/generation.js';
import { STEP_KINDS, type Verb } from './step-kinds.js';
import { flag, id, ids, number, text } from './steps/fields.js';

/** A machine as scenarios describe it. */
export interface ScenarioMachine {
  readonly hardware: HardwareSpec;
  readonly parameters: ApBusParameters;
  readonly generation: VfioApGeneration | undefined;
}

/** What a step is expected to come to: the same everywhere, or by design. */
export type Expectation = string | Readonly<Record<string, string>>;

/** One step of a scenario. */
export interface ScenarioStep {
  readonly verb: Verb | 'ipl';
  /** As the verb takes it, checked. */
  readonly input: unknown;
  readonly expect: Expectation | undefined;
  /** Queues that guests are expected to have after the step, by guest. */
  readonly guests: Readonly<Record<string, readonly string[]>> | undefined;
  /** The designs in which the step is to show how the rule of one user a queue is broken. */
  readonly breaks: readonly string[];
  readonly line: number;
}

/** A machine and what happens to it. */
export interface Scenario {
  readonly title: string;
  readonly machine: ScenarioMachine;
  readonly steps: readonly ScenarioStep[];
}

const iplInput = v.strictObject({
  apmask: v.optional(text),
  aqmask: v.optional(text),
  vfio_ap: v.optional(flag, 'yes'),
});

/** What a new start of the machine takes. */
export type IplInput = v.InferOutput<typeof iplInput>;

const adapter = v.strictObject({
  type: v.optional(number),
  compatible_type: v.optional(number),
  depth: v.optional(number),
  domains: v.optional(number),
});

const machine = v.strictObject({
  adapters: v.union([ids, v.record(text, adapter)]),
  domains: ids,
  control_domains: v.optional(ids, []),
  highest_adapter: v.optional(id),
  highest_domain: v.optional(id),
  apxa: v.optional(flag),
  qci: v.optional(flag),
  reset_time: v.optional(number),
  apmask: v.optional(text),
  aqmask: v.optional(text),
  vfio_ap: v.optional(v.picklist(VFIO_AP_GENERATIONS.map(({ name }) => name))),
});

/** The checklist's machine: two adapters, three domains, one control domain. */
export const DEFAULT_MACHINE: ScenarioMachine = {
  hardware: { adapters: [5, 6], domains: [4, 0x47, 0xab], controlDomains: [4] },
  parameters: {},
  generation: undefined,
};

const document = v.strictObject({
  title: v.optional(text, 'a scenario'),
  machine: v.optional(machine),
  steps: v.array(v.record(text, v.unknown())),
});

const expectation = v.union([text, v.record(text, text)]);
const expectedGuests = v.record(text, v.array(text));

/** The keys of a step beside its verb. */
const BESIDE = ['expect', 'guests', 'breaks'] as const;

/**
 * Reads a scenario.
 *
 * @param name the file, for messages.
 * @throws VfioError `EINVAL` with line and column of what is wrong.
 */
export function parseScenario(source: string, name: string): Scenario {
  const lines = new LineCounter();
  // Every scalar stays a text: YAML would make a number of 05.0004.
  const yaml = parseDocument(source, { lineCounter: lines, schema: 'failsafe' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const [broken] = yaml.errors;
  if (broken !== undefined)
    throw new VfioError('EINVAL', `${at(broken.pos[0])}: ${broken.message.split('\n')[0]}`);
  const offsetOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length--) {
      const node = yaml.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  };
  const check = <T>(
    schema: v.GenericSchema<unknown, T>,
    value: unknown,
    path: readonly PropertyKey[],
  ): T => {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const [issue] = result.issues;
    const inner = issue.path?.map(({ key }) => key as PropertyKey) ?? [];
    const where = [...path, ...inner];
    throw new VfioError(
      'EINVAL',
      `${at(offsetOf(where))}: ${where.map(String).join('.') || 'the scenario'}: ${issue.message}`,
    );
  };

  const read = check(document, plainValue(yaml, name), []);
  return {
    title: read.title,
    machine: read.machine === undefined ? DEFAULT_MACHINE : machineOf(read.machine),
    steps: read.steps.map((step, n) => {
      const path = ['steps', n];
      const line = lines.linePos(offsetOf(path)).line;
      const verbs = Object.keys(step).filter((key) => !(BESIDE as readonly string[]).includes(key));
      const [verb] = verbs;
      if (verb === undefined || verbs.length > 1)
        throw new VfioError(
          'EINVAL',
          `${at(offsetOf(path))}: a step has one verb, and expect, guests or breaks beside it`,
        );
      if (verb !== 'ipl' && !Object.hasOwn(STEP_KINDS, verb))
        throw new VfioError(
          'EINVAL',
          `${at(keyOffset(yaml.getIn(path, true), verb))}: ${verb}: no such step; there are ${[...Object.keys(STEP_KINDS), 'ipl'].sort().join(', ')}`,
        );
      const schema = verb === 'ipl' ? iplInput : STEP_KINDS[verb as Verb].schema;
      return {
        verb: verb as ScenarioStep['verb'],
        input: check<unknown>(schema, step[verb], [...path, verb]),
        expect:
          step.expect === undefined
            ? undefined
            : check(expectation, step.expect, [...path, 'expect']),
        guests:
          step.guests === undefined
            ? undefined
            : check(expectedGuests, step.guests, [...path, 'guests']),
        breaks:
          step.breaks === undefined ? [] : check(v.array(text), step.breaks, [...path, 'breaks']),
        line,
      };
    }),
  };
}

/** The document as plain values. An alias without its anchor is found only now. */
function plainValue(yaml: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return yaml.toJS() ?? {};
  } catch (cause) {
    throw new VfioError('EINVAL', `${name}:1:1: ${(cause as Error).message}`, { cause });
  }
}

function keyOffset(node: unknown, key: string): number {
  if (!isMap(node)) return isSeq(node) ? (node.range?.[0] ?? 0) : 0;
  for (const pair of node.items) {
    if (isNode(pair.key) && String(pair.key) === key) return pair.key.range?.[0] ?? 0;
  }
  return node.range?.[0] ?? 0;
}

function machineOf(read: v.InferOutput<typeof machine>): ScenarioMachine {
  const adapters = Array.isArray(read.adapters)
    ? read.adapters
    : Object.fromEntries(
        Object.entries(read.adapters).map(([apid, spec]) => [Number(apid), adapterOf(spec)]),
      );
  return {
    hardware: {
      adapters,
      domains: read.domains,
      controlDomains: read.control_domains,
      ...(read.highest_adapter !== undefined && { na: read.highest_adapter }),
      ...(read.highest_domain !== undefined && { nd: read.highest_domain }),
      ...(read.apxa !== undefined && { flags: { apxa: read.apxa } }),
      ...(read.qci !== undefined && { qciInstalled: read.qci }),
      ...(read.reset_time !== undefined && { resetTime: read.reset_time }),
    },
    parameters: {
      ...(read.apmask !== undefined && { apmask: read.apmask }),
      ...(read.aqmask !== undefined && { aqmask: read.aqmask }),
    },
    generation: VFIO_AP_GENERATIONS.find(({ name }) => name === read.vfio_ap),
  };
}

function adapterOf(spec: v.InferOutput<typeof adapter>): AdapterSpec {
  const { type, compatible_type: compatibleType, depth, domains } = spec;
  return {
    ...(type !== undefined && { type }),
    ...(compatibleType !== undefined && { compatibleType }),
    ...(depth !== undefined && { depth }),
    ...(domains !== undefined && { domains }),
  };
}
