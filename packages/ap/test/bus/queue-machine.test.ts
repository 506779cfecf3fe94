import { describe, expect, it } from 'vitest';
import { isStarting, type StartingState, startStep } from '../../src/bus/queue-machine.js';

const IRQ = 0x0100_0000;
const status = (code: number, flags = 0) => ((code << 16) | flags) >>> 0;

describe('the machine that brings a queue up', () => {
  it.each<[StartingState, number, boolean, string]>([
    ['RESET_START', status(0), true, 'RESET_WAIT'],
    ['RESET_START', status(2), true, 'RESET_WAIT'],
    ['RESET_START', status(3), true, 'error'],
    ['RESET_WAIT', status(2), true, 'wait'],
    ['RESET_WAIT', status(5), true, 'wait'],
    ['RESET_WAIT', status(0), true, 'enable interrupts'],
    ['RESET_WAIT', status(0), false, 'IDLE'],
    ['RESET_WAIT', status(1), true, 'error'],
    ['SETIRQ_WAIT', status(0), true, 'wait'],
    ['SETIRQ_WAIT', status(0, IRQ), true, 'IDLE'],
    ['SETIRQ_WAIT', status(5), true, 'wait'],
    ['SETIRQ_WAIT', status(4), true, 'error'],
  ])(
    'in %s, at status %i, with interrupts %s, goes on to %s',
    (state, answer, interrupts, next) => {
      expect(startStep(state, answer, 0, interrupts).go).toBe(next);
    },
  );

  it('goes on working where requests are with the adapter', () => {
    expect(startStep('SETIRQ_WAIT', status(0, IRQ), 2, true).go).toBe('WORKING');
  });

  it('is done when it is idle, working or full', () => {
    expect(['IDLE', 'WORKING', 'QUEUE_FULL'].some((state) => isStarting(state as never))).toBe(
      false,
    );
  });
});
