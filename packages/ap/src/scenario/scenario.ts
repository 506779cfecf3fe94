import * as v from 'valibot';
import type { AdapterSpec } from '../arch/adapter.js';
import type { HardwareSpec } from '../arch/hardware.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import { VFIO_AP_GENERATIONS, type VfioApGeneration } from '../vfio-ap/generation.js';
import { LocatedYaml, type YamlPath } from './located-yaml.js';
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
type Beside = (typeof BESIDE)[number];

/**
 * Reads a scenario.
 *
 * @param name the file, for messages.
 * @throws VfioError `EINVAL` with line and column of what is wrong.
 */
export function parseScenario(source: string, name: string): Scenario {
  const yaml = new LocatedYaml(source, name);
  const read = yaml.check(document, yaml.value, []);
  return {
    title: read.title,
    machine: read.machine === undefined ? DEFAULT_MACHINE : machineOf(read.machine),
    steps: read.steps.map((step, n) => stepOf(yaml, step, ['steps', n])),
  };
}

function stepOf(
  yaml: LocatedYaml,
  step: Readonly<Record<string, unknown>>,
  path: YamlPath,
): ScenarioStep {
  const verb = verbOf(yaml, step, path);
  const schema = verb === 'ipl' ? iplInput : STEP_KINDS[verb].schema;
  const beside = <T>(key: Beside, schema: v.GenericSchema<unknown, T>): T | undefined =>
    step[key] === undefined ? undefined : yaml.check(schema, step[key], [...path, key]);
  return {
    verb,
    input: yaml.check<unknown>(schema, step[verb], [...path, verb]),
    expect: beside('expect', expectation),
    guests: beside('guests', expectedGuests),
    breaks: beside('breaks', v.array(text)) ?? [],
    line: yaml.line(path),
  };
}

function verbOf(
  yaml: LocatedYaml,
  step: Readonly<Record<string, unknown>>,
  path: YamlPath,
): ScenarioStep['verb'] {
  const verbs = Object.keys(step).filter((key) => !(BESIDE as readonly string[]).includes(key));
  const [verb] = verbs;
  if (verb === undefined || verbs.length > 1)
    throw yaml.error(path, 'a step has one verb, and expect, guests or breaks beside it');
  const known = [...Object.keys(STEP_KINDS), 'ipl'];
  if (!known.includes(verb))
    throw yaml.keyError(path, verb, `${verb}: no such step; there are ${known.sort().join(', ')}`);
  return verb as ScenarioStep['verb'];
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
