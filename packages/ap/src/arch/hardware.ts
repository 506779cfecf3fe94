import type { KernelClock } from '../kernel-clock.js';
import { type AdapterSpec, type AdapterState, adapterInfo } from './adapter.js';
import { type Apqn, apidOf, apqiOf } from './apqn.js';
import type { ApInstructions, ApMessage, AqicRequest } from './instructions.js';
import { ApMask } from './mask.js';
import { type ApMatrix, matrixHas } from './matrix.js';
import type { QciFlags, QciInfo } from './qci.js';
import { QueueSlice } from './queue-slice.js';
import { AP_QUEUE_STATUS, AP_RESPONSE, type QueueStatus, queueStatus } from './queue-status.js';
import { SclpConsole } from './sclp.js';
import type { TapqInfo } from './tapq-info.js';

/** What a machine is made of before its first instruction. */
export interface HardwareSpec {
  readonly adapters: Readonly<Record<number, AdapterSpec>> | readonly number[];
  readonly domains: readonly number[];
  readonly controlDomains?: readonly number[];
  readonly flags?: Partial<QciFlags>;
  readonly na?: number;
  readonly nd?: number;
  /** STFLE 12; without it QCI is not installed. */
  readonly qciInstalled?: boolean;
  /** Milliseconds that a reset takes. */
  readonly resetTime?: number;
  /** Milliseconds from AQIC's acceptance to the enabled bit. */
  readonly aqicTime?: number;
  /** Milliseconds from a request to its reply. */
  readonly serviceTime?: number;
}

/** The instructions that can be watched and made to fail. */
export type ObservableInstruction = 'TAPQ' | 'RAPQ' | 'ZAPQ' | 'AQIC';

/** Answers with a response code in the hardware's place; `undefined` lets the hardware answer. */
export type FaultInjector = (instruction: ObservableInstruction, apqn: Apqn) => number | undefined;

interface Adapter {
  readonly spec: AdapterSpec;
  readonly info: TapqInfo;
  state: AdapterState;
}

/**
 * Crypto adapters and the logical partition they belong to: the lowest level of AP configuration.
 *
 * It answers the instructions of the partition's kernel and lets an operator change what is configured. Nothing here
 * knows a driver.
 */
export class ApHardware implements ApInstructions {
  readonly #adapters = new Map<number, Adapter>();
  readonly #slices: (QueueSlice | undefined)[] = [];
  readonly #times: { readonly reset: number; readonly aqic: number; readonly service: number };
  readonly #installed: boolean;
  #qci: QciInfo;
  #fault: FaultInjector | undefined;
  #watchers: readonly ((instruction: ObservableInstruction, apqn: Apqn) => void)[] = [];
  #interrupts = 0;

  /** The console, which a kernel may ask to configure an adapter. */
  readonly sclp = new SclpConsole((apid, configured) => {
    if (!this.#adapters.has(apid)) return false;
    this.setState(apid, configured ? 'configured' : 'standby');
    return true;
  });

  constructor(
    spec: HardwareSpec,
    readonly clock: KernelClock,
  ) {
    this.#times = {
      reset: spec.resetTime ?? 0,
      aqic: spec.aqicTime ?? 0,
      service: spec.serviceTime ?? 0,
    };
    this.#installed = spec.qciInstalled ?? true;
    const adapters: Readonly<Record<number, AdapterSpec>> = Array.isArray(spec.adapters)
      ? Object.fromEntries((spec.adapters as readonly number[]).map((apid) => [apid, {}]))
      : (spec.adapters as Readonly<Record<number, AdapterSpec>>);
    this.#qci = {
      flags: { apsc: true, apxa: true, qact: true, rc8a: false, apsb: false, ...spec.flags },
      na: spec.na ?? 255,
      nd: spec.nd ?? 255,
      apm: ApMask.NONE,
      aqm: ApMask.from(spec.domains),
      adm: ApMask.from(spec.controlDomains ?? []),
    };
    for (const [apid, adapter] of Object.entries(adapters)) this.addAdapter(Number(apid), adapter);
  }

  /** What is configured for the partition, read past the instruction and whether it is installed. */
  get configuration(): QciInfo {
    return this.#qci;
  }

  /** How many interrupts have gone to the host itself. */
  get hostInterrupts(): number {
    return this.#interrupts;
  }

  /** Puts faults on instructions, or takes them off. */
  set fault(injector: FaultInjector | undefined) {
    this.#fault = injector;
  }

  /** A system is loaded anew: whatever ran before is gone, and every queue is reset. */
  ipl(): void {
    this.#slices.length = 0;
  }

  /** Tells of every instruction that can change a queue, or test it. The returned function ends it. */
  watch(watcher: (instruction: ObservableInstruction, apqn: Apqn) => void): () => void {
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      this.#watchers = this.#watchers.filter((other) => other !== watcher);
    };
  }

  /** Gives an adapter to the partition, or replaces the one with this number; its queues are fresh. */
  addAdapter(apid: number, spec: AdapterSpec = {}): void {
    this.#adapters.set(apid, { spec, info: adapterInfo(spec), state: 'configured' });
    this.#slices.fill(undefined, apid << 8, (apid + 1) << 8);
    this.configure({ apm: this.#qci.apm.with(apid) });
  }

  /** Takes an adapter away from the partition. Where another partition gets it, firmware clears it first. */
  removeAdapter(apid: number): void {
    this.#adapters.delete(apid);
    this.#slices.fill(undefined, apid << 8, (apid + 1) << 8);
    this.configure({ apm: this.#qci.apm.without(apid) });
  }

  /**
   * Changes the partition's masks: what support element and hypervisor do. Queues that leave the partition lose what they
   * held, so that nobody else finds it there.
   */
  configure(masks: Partial<ApMatrix>): void {
    this.#qci = { ...this.#qci, ...masks };
    this.#slices.forEach((slice, apqn) => {
      if (slice !== undefined && !matrixHas(this.#qci, apqn)) this.#slices[apqn] = undefined;
    });
  }

  /**
   * Brings an adapter into a state; nothing is said to anybody, instructions just answer otherwise. One that stops working
   * loses what its queues held.
   */
  setState(apid: number, state: AdapterState): void {
    const adapter = this.#adapters.get(apid);
    if (adapter === undefined) return;
    adapter.state = state;
    if (state !== 'configured') this.#slices.fill(undefined, apid << 8, (apid + 1) << 8);
  }

  /** The state of an adapter; `undefined` without one. */
  stateOf(apid: number): AdapterState | undefined {
    return this.#adapters.get(apid)?.state;
  }

  /** Whether messages or secrets of somebody may lie in a queue: true from a request until it is zeroized. */
  holdsSecrets(apqn: Apqn): boolean {
    return this.#slices[apqn]?.used ?? false;
  }

  /** Whether a queue's interrupts are on, or about to be. */
  interruptsEnabled(apqn: Apqn): boolean {
    return this.#slices[apqn]?.interruptsEnabled ?? false;
  }

  tapq(apqn: Apqn): QueueStatus {
    const forced = this.#forced('TAPQ', apqn);
    return queueStatus(forced ?? this.#availability(apqn), this.#flags(apqn));
  }

  tapqInfo(apqn: Apqn): TapqInfo | undefined {
    return this.#exists(apqn) ? this.#adapters.get(apidOf(apqn))!.info : undefined;
  }

  rapq(apqn: Apqn): QueueStatus {
    return this.#reset('RAPQ', apqn);
  }

  zapq(apqn: Apqn): QueueStatus {
    return this.#reset('ZAPQ', apqn);
  }

  aqic(apqn: Apqn, request: AqicRequest): QueueStatus {
    const forced = this.#forced('AQIC', apqn);
    const code = forced ?? this.#availability(apqn);
    if (code !== AP_RESPONSE.NORMAL) return queueStatus(code, this.#flags(apqn));
    const slice = this.#slice(apqn);
    if (request.enable && (request.nib === 0 || request.nib >= 2 ** 53))
      return queueStatus(AP_RESPONSE.INVALID_ADDRESS, this.#flags(apqn));
    if (request.enable === slice.interruptsEnabled)
      return queueStatus(AP_RESPONSE.OTHERWISE_CHANGED, this.#flags(apqn));
    slice.setInterrupts(request, this.#times.aqic);
    return queueStatus(AP_RESPONSE.NORMAL, this.#flags(apqn));
  }

  qci(): QciInfo | undefined {
    return this.#installed ? this.#qci : undefined;
  }

  qact(apqn: Apqn, type: number): number {
    const adapter = this.#adapters.get(apidOf(apqn));
    if (!this.#qci.flags.qact || adapter?.info.type !== type) return 0;
    return adapter.spec.compatibleType ?? 0;
  }

  nqap(apqn: Apqn, message: ApMessage): QueueStatus {
    const code = this.#availability(apqn);
    if (code !== AP_RESPONSE.NORMAL) return queueStatus(code, this.#flags(apqn));
    const slice = this.#slice(apqn);
    if (slice.length > this.#depth(apqn))
      return queueStatus(AP_RESPONSE.Q_FULL_OR_NO_REPLY, this.#flags(apqn));
    slice.put(message, this.#times.service);
    if (this.#times.service === 0) this.#interrupt(apqn);
    else this.clock.after(this.#times.service, () => this.#interrupt(apqn));
    return queueStatus(AP_RESPONSE.NORMAL, this.#flags(apqn));
  }

  dqap(apqn: Apqn): { status: QueueStatus; message?: ApMessage } {
    const code = this.#availability(apqn);
    if (code !== AP_RESPONSE.NORMAL) return { status: queueStatus(code, this.#flags(apqn)) };
    const message = this.#slices[apqn]?.take();
    if (message === undefined)
      return { status: queueStatus(AP_RESPONSE.Q_FULL_OR_NO_REPLY, this.#flags(apqn)) };
    return { status: queueStatus(AP_RESPONSE.NORMAL, this.#flags(apqn)), message };
  }

  #reset(instruction: 'RAPQ' | 'ZAPQ', apqn: Apqn): QueueStatus {
    const forced = this.#forced(instruction, apqn);
    const code = forced ?? this.#availability(apqn);
    if (code === AP_RESPONSE.NORMAL) {
      this.#slices[apqn]?.reset(instruction === 'ZAPQ');
      // A queue that nobody ever used has nothing to drop, but it is busy with the reset all the same.
      if (this.#times.reset > 0) this.#slice(apqn).stayResetting(this.#times.reset);
    }
    return queueStatus(code, this.#flags(apqn));
  }

  #forced(instruction: ObservableInstruction, apqn: Apqn): number | undefined {
    for (const watcher of this.#watchers) watcher(instruction, apqn);
    return this.#fault?.(instruction, apqn);
  }

  #exists(apqn: Apqn): boolean {
    if (!matrixHas(this.#qci, apqn)) return false;
    const adapter = this.#adapters.get(apidOf(apqn));
    return adapter !== undefined && apqiOf(apqn) < (adapter.spec.domains ?? 256);
  }

  #availability(apqn: Apqn): number {
    if (!this.#exists(apqn)) return AP_RESPONSE.Q_NOT_AVAIL;
    const { state } = this.#adapters.get(apidOf(apqn))!;
    if (state === 'standby') return AP_RESPONSE.DECONFIGURED;
    if (state === 'checkstopped') return AP_RESPONSE.CHECKSTOPPED;
    return this.#slices[apqn]?.resetting ? AP_RESPONSE.RESET_IN_PROGRESS : AP_RESPONSE.NORMAL;
  }

  #flags(apqn: Apqn): number {
    return this.#slices[apqn]?.flags(this.#depth(apqn)) ?? AP_QUEUE_STATUS.QUEUE_EMPTY;
  }

  #depth(apqn: Apqn): number {
    return this.#adapters.get(apidOf(apqn))?.info.depthMinusOne ?? 0;
  }

  #interrupt(apqn: Apqn): void {
    const irq = this.#slices[apqn]?.interrupt;
    if (irq === undefined) return;
    irq.notify?.();
    if (irq.guest === undefined) this.#interrupts += 1;
    else irq.guest.area.setPending(irq.guest.isc);
  }

  #slice(apqn: Apqn): QueueSlice {
    this.#slices[apqn] ??= new QueueSlice(this.clock);
    return this.#slices[apqn];
  }
}
