import { describe, expect, it } from 'vitest';
import { arcs, nextState } from '../../src/migration/next-state.js';

type Support = { p2p: boolean; preCopy: boolean };

/** Rows: current state, then the next step towards every column; `-` is EINVAL. */
const TABLES: Record<string, { support: Support; table: string }> = {
  'STOP_COPY only': {
    support: { p2p: false, preCopy: false },
    table: `
      .         STOP STOP_COPY RUNNING RESUMING
      STOP      STOP STOP_COPY RUNNING RESUMING
      RUNNING   STOP STOP      RUNNING STOP
      STOP_COPY STOP STOP_COPY STOP    STOP
      RESUMING  STOP STOP      STOP    RESUMING`,
  },
  'with P2P': {
    support: { p2p: true, preCopy: false },
    table: `
      .           STOP        RUNNING     STOP_COPY   RESUMING    RUNNING_P2P
      STOP        STOP        RUNNING_P2P STOP_COPY   RESUMING    RUNNING_P2P
      RUNNING     RUNNING_P2P RUNNING     RUNNING_P2P RUNNING_P2P RUNNING_P2P
      STOP_COPY   STOP        STOP        STOP_COPY   STOP        STOP
      RESUMING    STOP        STOP        STOP        RESUMING    STOP
      RUNNING_P2P STOP        RUNNING     STOP        STOP        RUNNING_P2P`,
  },
  'with PRE_COPY': {
    support: { p2p: false, preCopy: true },
    table: `
      .         STOP    RUNNING STOP_COPY RESUMING PRE_COPY
      STOP      STOP    RUNNING STOP_COPY RESUMING RUNNING
      RUNNING   STOP    RUNNING STOP      STOP     PRE_COPY
      STOP_COPY STOP    STOP    STOP_COPY STOP     -
      RESUMING  STOP    STOP    STOP      RESUMING STOP
      PRE_COPY  RUNNING RUNNING STOP_COPY RUNNING  PRE_COPY`,
  },
  'with P2P and PRE_COPY': {
    support: { p2p: true, preCopy: true },
    table: `
      .            STOP        RUNNING     STOP_COPY    RESUMING    RUNNING_P2P PRE_COPY    PRE_COPY_P2P
      STOP         STOP        RUNNING_P2P STOP_COPY    RESUMING    RUNNING_P2P RUNNING_P2P RUNNING_P2P
      RUNNING      RUNNING_P2P RUNNING     RUNNING_P2P  RUNNING_P2P RUNNING_P2P PRE_COPY    RUNNING_P2P
      STOP_COPY    STOP        STOP        STOP_COPY    STOP        STOP        -           -
      RESUMING     STOP        STOP        STOP         RESUMING    STOP        STOP        STOP
      RUNNING_P2P  STOP        RUNNING     STOP         STOP        RUNNING_P2P RUNNING     PRE_COPY_P2P
      PRE_COPY     RUNNING     RUNNING     PRE_COPY_P2P RUNNING     RUNNING     PRE_COPY    PRE_COPY_P2P
      PRE_COPY_P2P RUNNING_P2P RUNNING_P2P STOP_COPY    RUNNING_P2P RUNNING_P2P PRE_COPY    PRE_COPY_P2P`,
  },
};

type State = Parameters<typeof nextState>[1];

describe('the next state on the way to another', () => {
  for (const [name, { support, table }] of Object.entries(TABLES)) {
    const [head, ...rows] = table
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    it.each(rows)(`[core:C8.17] ${name}, from %s`, (from, ...cells) => {
      cells.forEach((cell, i) => {
        const to = head![i + 1]!;
        expect(nextState(support, from as State, to as State) ?? '-', `to ${to}`).toBe(cell);
      });
    });
  }

  it('[core:C8.2 core:C8.11] never leads from or to ERROR', () => {
    const support = { p2p: true, preCopy: true };
    expect(nextState(support, 'ERROR', 'RUNNING')).toBeUndefined();
    expect(nextState(support, 'RUNNING', 'ERROR')).toBeUndefined();
  });

  it('[core:C8.3] knows no state that the device lacks', () => {
    expect(nextState({ p2p: true, preCopy: false }, 'RUNNING', 'PRE_COPY')).toBeUndefined();
    expect(nextState({ p2p: false, preCopy: true }, 'RUNNING', 'RUNNING_P2P')).toBeUndefined();
  });

  const path = (support: Support, from: State, to: State) => {
    const steps: string[] = [];
    for (let state: State = from; state !== to; ) {
      state = nextState(support, state, to)!;
      steps.push(state);
    }
    return steps.join(' ');
  };
  const both = { p2p: true, preCopy: true };

  it.each([
    [
      '[core:C8.5]',
      { p2p: true, preCopy: false },
      'RUNNING',
      'STOP_COPY',
      'RUNNING_P2P STOP STOP_COPY',
    ],
    ['[core:C8.6]', { p2p: false, preCopy: false }, 'RUNNING', 'STOP_COPY', 'STOP STOP_COPY'],
    ['[core:C8.7]', both, 'PRE_COPY', 'STOP_COPY', 'PRE_COPY_P2P STOP_COPY'],
    ['[core:C8.18]', both, 'PRE_COPY', 'RUNNING_P2P', 'RUNNING RUNNING_P2P'],
    ['[core:C8.19]', both, 'RESUMING', 'PRE_COPY', 'STOP RUNNING_P2P RUNNING PRE_COPY'],
    ['', both, 'PRE_COPY_P2P', 'RESUMING', 'RUNNING_P2P STOP RESUMING'],
    ['', both, 'RESUMING', 'PRE_COPY_P2P', 'STOP RUNNING_P2P PRE_COPY_P2P'],
  ] as const)('%s walks with %o from %s to %s by %s', (_id, support, from, to, steps) => {
    expect(path(support, from, to)).toBe(steps);
  });

  it('asks a driver for exactly the arcs of what it supports', () => {
    const names = (support: Support) =>
      arcs(support)
        .map(([from, to]) => `${from}>${to}`)
        .sort();
    expect(names({ p2p: false, preCopy: false })).toEqual([
      'RESUMING>STOP',
      'RUNNING>STOP',
      'STOP>RESUMING',
      'STOP>RUNNING',
      'STOP>STOP_COPY',
      'STOP_COPY>STOP',
    ]);
    expect(names({ p2p: true, preCopy: true })).toEqual([
      'PRE_COPY>PRE_COPY_P2P',
      'PRE_COPY>RUNNING',
      'PRE_COPY_P2P>PRE_COPY',
      'PRE_COPY_P2P>RUNNING_P2P',
      'PRE_COPY_P2P>STOP_COPY',
      'RESUMING>STOP',
      'RUNNING>PRE_COPY',
      'RUNNING>RUNNING_P2P',
      'RUNNING_P2P>PRE_COPY_P2P',
      'RUNNING_P2P>RUNNING',
      'RUNNING_P2P>STOP',
      'STOP>RESUMING',
      'STOP>RUNNING_P2P',
      'STOP>STOP_COPY',
      'STOP_COPY>STOP',
    ]);
  });
});
