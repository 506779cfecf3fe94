import { VfioError } from '@vfiokit/uapi';
import { inject, injectAll, injectable } from 'tsyringe';
import type { DeviceFacts } from '../facts/device-facts.js';
import { type GroupFacts, groupOf } from '../facts/group-facts.js';
import { findDevice, type HostFacts } from '../facts/host-facts.js';
import { nearest } from '../facts/nearest.js';
import type { UsageFacts } from '../facts/usage-facts.js';
import { libvirtMatch } from '../modules/best-match.js';
import type { ModuleIndex } from '../modules/module-index.js';
import type { DriverKnowledge } from '../policy/driver-knowledge.js';
import { GENERIC_DRIVER } from '../policy/generic.js';
import type {
  Candidate,
  PolicyAnswer,
  SelectionInput,
  SelectionPolicy,
  SelectionRequest,
} from '../policy/policy.js';
import { resolveDriver } from '../policy/resolve-driver.js';
import { DRIVER_KNOWLEDGE, SELECTION_POLICIES } from '../tokens.js';
import type { Decision } from './decision.js';
import { type Guard, guardsOf } from './guards.js';
import { planOperations, type Target } from './operation.js';
import { pfCautions } from './pf-caution.js';
import { cautions, recordFacts, recordGroup, unobserved } from './record.js';

/** What a plan is made from. */
export interface PlanInput {
  readonly host: HostFacts;
  readonly index: ModuleIndex | undefined;
  readonly usage: UsageFacts;
}

export interface PlanOptions extends SelectionRequest {
  /** The other endpoints of the group are bound as well. */
  readonly wholeGroup?: boolean;
  /** Guards that may be overruled are. */
  readonly force?: boolean;
}

/** Decides which driver a device should get, and tells why. Reads and writes nothing: all facts are in its input. */
@injectable()
export class Planner {
  readonly #policies: ReadonlyMap<string, SelectionPolicy>;

  constructor(
    @injectAll(SELECTION_POLICIES) policies: readonly SelectionPolicy[],
    @inject(DRIVER_KNOWLEDGE) private readonly knowledge: DriverKnowledge,
  ) {
    this.#policies = new Map(policies.map((policy) => [policy.name, policy]));
  }

  get policies(): readonly SelectionPolicy[] {
    return [...this.#policies.values()];
  }

  /**
   * Plans for one device.
   *
   * @throws VfioError `EINVAL` for a policy or an address that is none, `ENODEV` for a device that is not there.
   */
  plan(device: string, input: PlanInput, options: PlanOptions): Decision {
    const policy = this.#policies.get(options.policy);
    if (policy === undefined) {
      const near = nearest(options.policy, [...this.#policies.keys()]);
      const hint = near.length > 0 ? near.join(' or ') : [...this.#policies.keys()].join(', ');
      throw new VfioError('EINVAL', `${options.policy}: no such policy; there is ${hint}`);
    }
    return this.#decide(policy, findDevice(input.host, device), input, options);
  }

  #decide(
    policy: SelectionPolicy,
    device: DeviceFacts,
    input: PlanInput,
    options: PlanOptions,
  ): Decision {
    const { host, index, usage } = input;
    const { wholeGroup = false, force = false, ...request } = options;
    const group = groupOf(host, device);
    const selection: SelectionInput = {
      request,
      device,
      group,
      host,
      index,
      knowledge: this.knowledge,
    };
    const answer = policy.choose(selection);
    const chosen = answer.candidates[0] ?? null;
    const companions = wholeGroup ? this.#companions(group, device, selection, policy) : [];
    const targets =
      answer.style === 'provided' || chosen === null ? [] : [target(device, answer), ...companions];
    const guards = targets.flatMap((one) =>
      guardsOf(host.devices.get(one.device)!, one.driver ?? undefined, host, usage),
    );
    const refusal = answer.refusal ?? refusalOf({ guards, force, group, targets, device, host });
    const done =
      targets.length > 0 && targets.every(({ driver, before }) => driver === before.driver);
    const outcome =
      answer.style === 'provided' && answer.refusal === undefined
        ? 'already-provided'
        : refusal !== null
          ? 'refused'
          : done
            ? 'nothing-to-do'
            : 'bind';
    return {
      version: 1,
      request: { ...request, device: device.name, wholeGroup, force },
      facts: recordFacts(device),
      kernel: { release: host.release ?? null, index: index?.identity ?? null },
      candidates: answer.candidates,
      rejections: answer.rejections,
      tie: answer.tie !== undefined && answer.tie.length > 1 ? answer.tie : [],
      chosen,
      rule: answer.rule,
      outcome,
      refusal,
      libvirtExact: this.#libvirtExact(selection, chosen),
      group: group === undefined ? null : recordGroup(group, targets),
      guards,
      operations: outcome === 'bind' ? planOperations(targets) : [],
      targets: outcome === 'bind' ? targets : [],
      unobserved: unobserved(host, device, usage, index),
      warnings: [
        ...(answer.warnings ?? []),
        ...indexCaution(host, index),
        ...device.disagreements,
        ...(targets.length > 0 ? cautions(host, device, group, targets) : []),
        ...pfCautions(host, device, chosen?.driver ?? chosen?.name, this.knowledge),
        ...(force
          ? guards.filter(({ forcible }) => forcible).map(({ text }) => `forced although ${text}`)
          : []),
      ],
    };
  }

  /**
   * What the other members of the group become. Each gets the driver that the policy gives to it, not the one of the
   * device that was asked for: an override makes a driver match what it does not serve.
   */
  #companions(
    group: GroupFacts | undefined,
    device: DeviceFacts,
    selection: SelectionInput,
    policy: SelectionPolicy,
  ): readonly Target[] {
    const others = group?.members.filter((member) => member.device !== device) ?? [];
    return others
      .filter((member) => member.effect !== 'harmless' && member.device.headerType.value === 0)
      .flatMap((member) => {
        const answer = policy.choose({ ...selection, device: member.device });
        return answer.candidates.length === 0 ? [] : [target(member.device, answer)];
      });
  }

  #libvirtExact(selection: SelectionInput, chosen: Candidate | null): Decision['libvirtExact'] {
    const modalias = selection.device.modalias.value;
    if (modalias === undefined)
      return { driver: null, note: 'the modalias is unknown', differs: false };
    const match = libvirtMatch(`${modalias}\n`, selection.index?.text);
    if (match.kind === 'error')
      return { driver: null, note: `would fail: ${match.message}`, differs: chosen !== null };
    const name = match.kind === 'match' ? match.module : GENERIC_DRIVER;
    const resolution = resolveDriver(name, selection);
    if (resolution.kind === 'error')
      return {
        driver: null,
        note: `would fail: ${resolution.rejection.reason}`,
        differs: chosen !== null,
      };
    const driver =
      (resolution.kind === 'driver' ? resolution.driver : resolution.predicted) ?? name;
    return {
      driver,
      note:
        match.kind === 'match' ? `line ${match.line} of the index` : 'the default: no alias fits',
      differs: chosen !== null && driver !== (chosen.driver ?? chosen.name),
    };
  }
}

/** What is advertised by another kernel's modules need not be what is installed on this one. */
function indexCaution({ release }: HostFacts, index: ModuleIndex | undefined): readonly string[] {
  const of = index?.identity.release;
  return of === undefined || release === undefined || of === release
    ? []
    : [`the module index is that of ${of}, and the machine runs ${release}`];
}

/** How many members a sentence names. */
const NAMED = 4;

function offenders(members: GroupFacts['members']): string {
  const named = members
    .slice(0, NAMED)
    .map(({ device }) => `${device.name} is bound to "${device.driver.value}"`);
  const more = members.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

function target(device: DeviceFacts, { candidates, style }: PolicyAnswer): Target {
  const [first, ...others] = candidates.map(({ driver, presence, module }) => ({
    driver,
    ...(presence === 'registered' || module === undefined ? {} : { load: module }),
  }));
  return {
    device: device.name,
    ...first!,
    ...(style === 'chain' && others.length > 0 ? { alternatives: others } : {}),
    before: { driver: device.driver.value ?? null, override: device.override.value ?? null },
  };
}

/** What a refusal comes from. */
interface Obstacles {
  readonly guards: readonly Guard[];
  readonly force: boolean;
  readonly group: GroupFacts | undefined;
  readonly targets: readonly Target[];
  readonly device: DeviceFacts;
  readonly host: HostFacts;
}

function refusalOf({ guards, force, group, targets, device, host }: Obstacles): string | null {
  // What nobody can overrule is told first: forcing past the others would lead to it.
  const stopping = guards.find(({ forcible }) => !forcible) ?? (force ? undefined : guards[0]);
  if (stopping !== undefined)
    return `${stopping.text}${stopping.forcible ? '; say --force to do it all the same' : ''}`;
  if (targets.length > 0 && device.group.value === null && host.noIommuMode !== true)
    return `${device.name}: in no IOMMU group; turn the IOMMU on (intel_iommu=on, or in the firmware)`;
  const left = group?.members.filter(
    (member) =>
      member.effect === 'offender' && !targets.some((one) => one.device === member.device.name),
  );
  if (targets.length > 0 && left !== undefined && left.length > 0)
    return `${device.name}: group ${group!.number} would not be viable: ${offenders(left)}; say --group to take the whole group`;
  return null;
}
