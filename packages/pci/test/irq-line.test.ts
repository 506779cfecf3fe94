import { describe, expect, test } from 'vitest';
import { IrqLine, PciTopology } from '../src/index.js';
import { configOf } from './helpers.js';

const EBUSY = -16;
const EINVAL = -22;

const OWNER = {};
const OTHER = {};
const SOURCE = {};

/** A listener that silences the source, and how often it was called. */
function listener(line: IrqLine) {
  const seen = { calls: 0 };
  const handler = () => {
    seen.calls += 1;
    line.set(SOURCE, false);
    return true;
  };
  return { seen, handler };
}

describe('interrupt line', () => {
  test('calls its handlers while it is asserted, until one silences the device', () => {
    const line = new IrqLine();
    let calls = 0;
    line.request(
      OWNER,
      () => {
        calls += 1;
        if (calls === 3) line.set(SOURCE, false);
        return true;
      },
      false,
    );
    line.set(SOURCE, true);
    expect(calls).toBe(3);
  });

  test('gives up on a level that nobody handles until something changes', () => {
    const line = new IrqLine();
    let calls = 0;
    line.request(
      OWNER,
      () => {
        calls += 1;
        return false;
      },
      true,
    );
    line.set(SOURCE, true);
    expect(calls).toBe(1);
    line.set(SOURCE, true);
    expect(calls).toBe(2);
  });

  test('asks everybody who shares it', () => {
    const line = new IrqLine();
    const asked: string[] = [];
    line.request(
      OWNER,
      () => {
        asked.push('first');
        return false;
      },
      true,
    );
    line.request(
      OTHER,
      () => {
        asked.push('second');
        line.set(SOURCE, false);
        return true;
      },
      true,
    );
    line.set(SOURCE, true);
    expect(asked).toEqual(['first', 'second']);
  });

  test.each([
    [false, false],
    [false, true],
    [true, false],
  ])('is EBUSY for a second listener unless both share (%s, %s)', (first, second) => {
    const line = new IrqLine();
    expect(line.request(OWNER, () => true, first)).toBe(0);
    expect(line.request(OTHER, () => true, second)).toBe(EBUSY);
  });

  test('is EINVAL for the same listener twice', () => {
    const line = new IrqLine();
    line.request(OWNER, () => true, true);
    expect(line.request(OWNER, () => true, true)).toBe(EINVAL);
  });

  test('is silent while disabled, and a level that is still there fires when it is enabled', () => {
    const line = new IrqLine();
    let calls = 0;
    line.request(
      OWNER,
      () => {
        calls += 1;
        line.disable();
        return true;
      },
      false,
    );
    line.set(SOURCE, true);
    expect(calls).toBe(1);
    line.enable();
    expect(calls).toBe(2);
    line.set(SOURCE, false);
    line.enable();
    expect(calls).toBe(2);
  });

  test('stays disabled until every disable is undone', () => {
    const line = new IrqLine();
    const { seen, handler } = listener(line);
    line.request(OWNER, handler, false);
    line.disable();
    line.disable();
    line.set(SOURCE, true);
    line.enable();
    expect(seen.calls).toBe(0);
    line.enable();
    expect(seen.calls).toBe(1);
    line.enable();
    expect(seen.calls).toBe(1);
  });

  test('starts up again for the first listener', () => {
    const line = new IrqLine();
    line.request(OWNER, () => true, false);
    line.disable();
    line.free(OWNER);
    const { seen, handler } = listener(line);
    line.request(OWNER, handler, false);
    line.set(SOURCE, true);
    expect(seen.calls).toBe(1);
  });

  test('that is asserted already fires when somebody begins to listen', () => {
    const line = new IrqLine();
    line.set(SOURCE, true);
    const { seen, handler } = listener(line);
    line.request(OWNER, handler, false);
    expect(seen.calls).toBe(1);
  });
});

describe('interrupt line of a device', () => {
  function devices() {
    const topology = new PciTopology();
    const one = topology.add('0000:00:01.0', { config: configOf() });
    const two = topology.add('0000:00:02.0', { config: configOf() });
    return { one, two };
  }

  test('is shared by those with the same number', () => {
    const { one, two } = devices();
    const asked: string[] = [];
    one.requestIrq(
      () => {
        asked.push('one');
        return false;
      },
      { shared: true },
    );
    two.requestIrq(
      () => {
        asked.push('two');
        two.intx(false);
        return true;
      },
      { shared: true },
    );
    two.function.intx.assert();
    expect(asked).toEqual(['one', 'two']);
    expect(two.function.intx.asserted).toBe(false);
  });

  test('fires again when DisINTx is cleared while the device still asserts', () => {
    const { one } = devices();
    let calls = 0;
    one.requestIrq(
      () => {
        calls += 1;
        one.intx(false);
        return true;
      },
      { shared: true },
    );
    one.function.intx.assert();
    one.intx(true);
    expect(calls).toBe(2);
  });

  test('is EBUSY where the machine says so', () => {
    const topology = new PciTopology({
      platform: { requestIrq: (_, shared) => (shared ? 0 : EBUSY) },
    });
    const device = topology.add('0000:00:01.0', { config: configOf() });
    expect(device.requestIrq(() => true, { shared: false })).toBe(EBUSY);
    expect(device.requestIrq(() => true, { shared: true })).toBe(0);
  });

  test('is EINVAL for a function that has none', () => {
    const topology = new PciTopology();
    const none = topology.add('0000:00:01.0', { config: configOf({ bytes: [[0x3d, [0]]] }) });
    const lost = topology.add('0000:00:02.0', { config: configOf() }, { irq: 0x80000000 });
    for (const device of [none, lost]) {
      expect(device.requestIrq(() => true, { shared: false })).toBe(EINVAL);
      device.disableIrq();
      device.enableIrq();
      device.freeIrq();
    }
  });

  test('ends when it is freed', () => {
    const { one } = devices();
    let calls = 0;
    one.requestIrq(
      () => {
        calls += 1;
        return true;
      },
      { shared: false },
    );
    one.freeIrq();
    one.function.intx.assert();
    expect(calls).toBe(0);
  });
});
