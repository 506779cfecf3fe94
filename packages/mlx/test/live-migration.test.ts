import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MlxMachine, type OpenedVf } from './mlx-machine.js';

const ENOMSG = 42;
const BLOCK = 4096;

/** What a VMM does: copies while the source runs, stops it, copies the rest, starts the target. */
function migrate(source: OpenedVf, target: OpenedVf, work: (round: number) => void): void {
  const out = source.client.setMigrationState('PRE_COPY')!;
  const into = target.client.setMigrationState('RESUMING')!;
  const buffer = new Uint8Array(3000);
  const pour = () => {
    for (;;) {
      const count = out.read(buffer);
      if (count <= 0) return count;
      expect(into.write(buffer.subarray(0, count))).toBe(count);
    }
  };
  for (let round = 0; round < 4; round += 1) {
    work(round);
    expect(pour()).toBe(-ENOMSG);
    source.client.precopyInfo(out);
  }
  source.client.setMigrationState('STOP_COPY');
  expect(pour()).toBe(0);
  target.client.setMigrationState('RUNNING');
}

describe('moving a running ConnectX VF to another machine', () => {
  it.each([false, true])(
    'takes along what it changes meanwhile, and interrupts that were held back: chunks %s',
    (migrationInChunks) => {
      const options = { stateSize: 100_000, chunkSize: 8192, capabilities: { migrationInChunks } };
      using source = new MlxMachine(options).open();
      using target = new MlxMachine(options).open();
      target.machine.state.fill(0);
      const { vhca } = source.machine;
      migrate(source, target, (round) => {
        vhca.change(round * 2 * BLOCK + 100, Uint8Array.of(round + 1));
        vhca.dma(BigInt(round) * 4096n, Uint8Array.of(round));
        vhca.interrupt(round);
      });
      expect(source.machine.interrupts).toEqual([0, 1, 2, 3]);
      expect(target.machine.state).toEqual(source.machine.state);
      expect(target.machine.vhca.dma(0n, Uint8Array.of(1))).toBe(0);
      expect(vhca.dma(0n, Uint8Array.of(1))).toBe(-11);
    },
  );

  it('delivers an interrupt on the other side that came when the source was stopping', () => {
    using source = new MlxMachine().open();
    using target = new MlxMachine().open();
    const out = source.client.setMigrationState('PRE_COPY')!;
    source.client.setMigrationState('PRE_COPY_P2P');
    source.machine.vhca.interrupt(5);
    source.client.setMigrationState('STOP_COPY');
    const into = target.client.setMigrationState('RESUMING')!;
    const buffer = new Uint8Array(1 << 16);
    for (let count = out.read(buffer); count > 0; count = out.read(buffer))
      into.write(buffer.subarray(0, count));
    expect([source.machine.interrupts, target.machine.interrupts]).toEqual([[], []]);
    target.client.setMigrationState('RUNNING');
    expect(target.machine.interrupts).toEqual([5]);
    // Had it been given up, the source would have delivered it.
    source.client.setMigrationState('RUNNING');
    expect(source.machine.interrupts).toEqual([5]);
  });

  it('ends with equal states whatever changes when', () => {
    const changes = fc.array(
      fc.record({ round: fc.nat(3), at: fc.integer({ min: 8, max: 49_990 }), value: fc.nat(255) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(changes, fc.boolean(), (all, migrationInChunks) => {
        const options = { stateSize: 50_000, chunkSize: 6000, capabilities: { migrationInChunks } };
        using source = new MlxMachine(options).open();
        using target = new MlxMachine(options).open();
        migrate(source, target, (round) => {
          for (const { at, value } of all.filter((change) => change.round === round))
            source.machine.vhca.change(at, Uint8Array.of(value));
        });
        expect(Buffer.compare(target.machine.state, source.machine.state)).toBe(0);
        expect(target.machine.firmware.resources).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves the source as it was wherever it fails', () => {
    // Every command of a successful migration of the source, one after the other, is made to fail.
    const count = (() => {
      using source = new MlxMachine({ stateSize: 30_000 }).open();
      using target = new MlxMachine({ stateSize: 30_000 }).open();
      migrate(source, target, () => source.machine.vhca.change(5000, Uint8Array.of(1)));
      return source.machine.firmware.log.length;
    })();
    expect(count).toBeGreaterThan(10);
    let completed = 0;
    for (let failing = 0; failing <= count; failing += 1) {
      using source = new MlxMachine({ stateSize: 30_000 }).open();
      using target = new MlxMachine({ stateSize: 30_000 }).open();
      const { vhca, state } = source.machine;
      source.machine.failAfter(failing);
      let expected = state.slice();
      try {
        migrate(source, target, () => {
          vhca.change(5000, Uint8Array.of(1));
          expected = state.slice();
        });
        expect(target.machine.state).toEqual(state);
        completed += 1;
      } catch {
        source.machine.failAfter(-1);
        if (source.client.migrationState() !== 'RUNNING')
          source.client.setMigrationState('RUNNING');
        expect(state).toEqual(expected);
        expect(vhca.change(6000, Uint8Array.of(2))).toBe(0);
        expect(vhca.dma(0n, Uint8Array.of(1))).toBe(0);
      }
    }
    // Letting go of a buffer is all that may fail without consequence.
    expect(completed).toBeGreaterThan(0);
    expect(completed).toBeLessThan(count / 2);
  });
});
