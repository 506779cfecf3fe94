import { Device } from '@vfiokit/driver-model';
import { EAGAIN } from '@vfiokit/uapi';
import { type Apqn, formatApqn } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import { AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import type { KernelClock } from '../kernel-clock.js';
import type { ApCard } from './ap-card.js';
import {
  isStarting,
  MACHINE_INSTRUCTION,
  type QueueDeviceState,
  type QueueMachineState,
  startStep,
} from './queue-machine.js';

/** A request of a program on the host. */
export interface HostRequest {
  readonly text: string;
  /** Called once: with the reply, or with a negated errno. */
  readonly done: (result: string | number) => void;
}

/** What a queue needs of its bus. */
export interface QueueEnvironment {
  readonly ap: ApInstructions;
  readonly clock: KernelClock;
  /** Whether the bus works with interrupts rather than polling. */
  readonly interrupts: boolean;
}

/** Milliseconds between two looks at a queue that is not ready. */
const POLL_INTERVAL = 2;

/** Any address that is not zero will do: the host's notification byte is not modelled. */
const HOST_NIB = 0x1000;

/** A queue device on the AP bus: one domain of one card (struct ap_queue). */
export class ApQueue extends Device {
  readonly kind = 'queue';
  /** Whether the adapter is configured, as the bus saw it last. */
  config = true;
  /** Whether the adapter has stopped with an error, as the bus saw it last. */
  chkstop = false;
  #device: QueueDeviceState = 'UNINITIATED';
  #machine: QueueMachineState = 'RESET_START';
  #requests: HostRequest[] = [];
  #pending: { readonly id: number; readonly request: HostRequest }[] = [];
  #total = 0;
  #nextId = 1;
  #cancelPoll: (() => void) | undefined;

  constructor(
    readonly apqn: Apqn,
    readonly card: ApCard,
    private readonly environment: QueueEnvironment,
  ) {
    super(formatApqn(apqn), card);
  }

  /** The compatible type, which drivers match. */
  get deviceType(): number {
    return this.card.type;
  }

  get deviceState(): QueueDeviceState {
    return this.#device;
  }

  get machineState(): QueueMachineState {
    return this.#machine;
  }

  /** How many requests the queue has taken in all. */
  get requestCount(): number {
    return this.#total;
  }

  /** How many requests have not been sent, and how many wait for their reply. */
  get counts(): { readonly requestq: number; readonly pendingq: number } {
    return { requestq: this.#requests.length, pendingq: this.#pending.length };
  }

  resetRequestCount(): void {
    this.#total = 0;
  }

  /** Begins to bring the queue up: reset, interrupts, ready (ap_queue_init_state). */
  initialise(): void {
    this.#device = 'OPERATING';
    this.restart();
  }

  /** Drops what is in the queue and resets it: the `reset` attribute. */
  restart(): void {
    this.flush();
    this.#machine = 'RESET_START';
    this.#run();
  }

  /** The hardware went down under it: nothing more is sent. */
  fail(): void {
    this.#device = 'ERROR';
    this.flush();
  }

  /** The queue is being taken away from its driver: requests come back, none is sent any more (ap_queue_prepare_remove). */
  prepareRemove(): void {
    this.flush();
    this.#device = 'SHUTDOWN';
  }

  /** The driver has let go: whatever it left in the queue is wiped (ap_queue_remove). */
  finishRemove(): void {
    this.environment.ap.zapq(this.apqn);
    this.#device = 'UNINITIATED';
  }

  /** Gives every request back that has no reply: `-EAGAIN`, try another queue. */
  flush(): void {
    const back = [...this.#pending.map(({ request }) => request), ...this.#requests];
    this.#pending = [];
    this.#requests = [];
    for (const request of back) request.done(-EAGAIN);
  }

  /** Takes a request of a host program. It is sent as soon as the queue is ready; the reply comes when the adapter has it. */
  enqueue(request: HostRequest): void {
    this.#total += 1;
    if (!this.#running) {
      request.done(-EAGAIN);
      return;
    }
    this.#requests.push(request);
    this.#run();
  }

  /** The kernel ends: nothing more is done with the queue. */
  stop(): void {
    this.#cancelPoll?.();
    this.#device = 'UNINITIATED';
  }

  /** Fetches what replies there are, and sends what waits. */
  poll(): void {
    this.#run();
  }

  get #running(): boolean {
    return this.#device === 'OPERATING' && this.config && !this.chkstop;
  }

  #run(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
    if (!this.#running) return;
    const { ap, interrupts } = this.environment;
    while (isStarting(this.#machine)) {
      const status =
        MACHINE_INSTRUCTION[this.#machine] === 'RAPQ' ? ap.rapq(this.apqn) : ap.tapq(this.apqn);
      const { go } = startStep(this.#machine, status, this.#pending.length, interrupts);
      switch (go) {
        case 'wait':
          this.#pollLater();
          return;
        case 'error':
          this.fail();
          return;
        case 'enable interrupts':
          ap.aqic(this.apqn, { enable: true, isc: 6, nib: HOST_NIB, notify: () => this.#later() });
          this.#machine = 'SETIRQ_WAIT';
          break;
        default:
          this.#machine = go;
      }
    }
    this.#receive();
    this.#send();
    if (this.#pending.length > 0 && !interrupts) this.#pollLater();
  }

  #receive(): void {
    while (this.#pending.length > 0) {
      const { status, message } = this.environment.ap.dqap(this.apqn);
      if (responseCode(status) !== AP_RESPONSE.NORMAL || message === undefined) break;
      const at = this.#pending.findIndex(({ id }) => id === message.id);
      const [answered] = this.#pending.splice(at, 1);
      answered?.request.done(message.text);
      this.#machine = this.#pending.length > 0 ? 'WORKING' : 'IDLE';
    }
  }

  #send(): void {
    while (this.#requests[0] !== undefined) {
      const request = this.#requests[0];
      const id = this.#nextId++;
      // Pending before it is sent, because a quick reply interrupts at once.
      this.#requests.shift();
      this.#pending.push({ id, request });
      const code = responseCode(this.environment.ap.nqap(this.apqn, { id, text: request.text }));
      if (code === AP_RESPONSE.NORMAL) {
        this.#machine = 'WORKING';
        continue;
      }
      this.#pending.pop();
      this.#requests.unshift(request);
      if (code === AP_RESPONSE.Q_FULL_OR_NO_REPLY) this.#machine = 'QUEUE_FULL';
      else this.fail();
      return;
    }
  }

  #later(): void {
    this.#cancelPoll ??= this.environment.clock.after(0, () => this.#run());
  }

  #pollLater(): void {
    this.#cancelPoll = this.environment.clock.after(POLL_INTERVAL, () => this.#run());
  }
}
