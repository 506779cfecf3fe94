import {
  AP_QUEUE_STATUS,
  AP_RESPONSE,
  type QueueStatus,
  responseCode,
} from '../arch/queue-status.js';

/** How the AP bus sees a queue device. */
export type QueueDeviceState = 'UNINITIATED' | 'OPERATING' | 'SHUTDOWN' | 'ERROR';

/** Where the machine stands that brings a queue up and keeps it going for the host's drivers (ap_queue.c: ap_jumptable). */
export type QueueMachineState =
  | 'RESET_START'
  | 'RESET_WAIT'
  | 'SETIRQ_WAIT'
  | 'IDLE'
  | 'WORKING'
  | 'QUEUE_FULL';

/** What the machine does in a state before it looks at the status. */
export const MACHINE_INSTRUCTION = {
  RESET_START: 'RAPQ',
  RESET_WAIT: 'TAPQ',
  SETIRQ_WAIT: 'TAPQ',
} as const satisfies Partial<Record<QueueMachineState, string>>;

/** A state in which the queue is not yet ready for requests. */
export type StartingState = keyof typeof MACHINE_INSTRUCTION;

export function isStarting(state: QueueMachineState): state is StartingState {
  return state in MACHINE_INSTRUCTION;
}

/** What follows: another state at once, the same one after a while, or an error that ends it. */
export type MachineStep =
  | { readonly go: QueueMachineState }
  | { readonly go: 'enable interrupts' }
  | { readonly go: 'wait' }
  | { readonly go: 'error' };

const { NORMAL, RESET_IN_PROGRESS, BUSY } = AP_RESPONSE;

/**
 * One step of bringing a queue up (ap_queue.c: ap_sm_reset, ap_sm_reset_wait, ap_sm_setirq_wait).
 *
 * @param status what the state's instruction answered.
 * @param sent how many requests the adapter has already; after a start there is none.
 * @param interrupts whether the bus works with interrupts.
 */
export function startStep(
  state: StartingState,
  status: QueueStatus,
  sent: number,
  interrupts: boolean,
): MachineStep {
  const code = responseCode(status);
  const ready = { go: sent > 0 ? 'WORKING' : 'IDLE' } as const;
  switch (state) {
    case 'RESET_START':
      return code === NORMAL || code === RESET_IN_PROGRESS ? { go: 'RESET_WAIT' } : { go: 'error' };
    case 'RESET_WAIT':
      if (code === NORMAL) return interrupts ? { go: 'enable interrupts' } : ready;
      return code === RESET_IN_PROGRESS || code === BUSY ? { go: 'wait' } : { go: 'error' };
    case 'SETIRQ_WAIT':
      if (code !== NORMAL) return { go: code === BUSY ? 'wait' : 'error' };
      return (status & AP_QUEUE_STATUS.IRQ_ENABLED) !== 0 ? ready : { go: 'wait' };
  }
}
