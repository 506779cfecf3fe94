import { describe, expect, test } from 'vitest';
import { PciFunction } from '../src/index.js';
import { configOf, EXPRESS, words } from './helpers.js';

const DEVCTL = 0x98;
const DEVSTA = 0x9a;
const AER = 0x100;
const UNSUPPORTED = 0x00100000;
const POISONED = 0x00001000;
const MALFORMED = 0x00040000;
const RECEIVER = 0x00000001;

function functionWithAer() {
  const silicon = new PciFunction({
    config: configOf({
      capabilities: [EXPRESS],
      // Severities as after power-on.
      extended: [{ at: AER, id: 1, body: words(0, 0, 0x00462030) }],
    }),
  });
  const messages: string[] = [];
  silicon.connect({ error: (severity) => messages.push(severity) });
  silicon.config.write(DEVCTL, 2, 0x0007);
  return { silicon, messages };
}

describe('error reporting', () => {
  test('logs a correctable error and tells the root port', () => {
    const { silicon, messages } = functionWithAer();
    silicon.reportError({ correctable: true, status: RECEIVER });
    expect(silicon.config.read(AER + 0x10, 4)).toBe(RECEIVER);
    expect(silicon.config.read(DEVSTA, 2) & 0xf).toBe(1);
    expect(messages).toEqual(['correctable']);
  });

  test('takes severity from its register', () => {
    const { silicon, messages } = functionWithAer();
    silicon.reportError({ correctable: false, status: POISONED });
    silicon.reportError({ correctable: false, status: MALFORMED });
    expect(messages).toEqual(['nonfatal', 'fatal']);
    expect(silicon.config.read(DEVSTA, 2) & 0xf).toBe(6);
  });

  test('keeps the header and the number of the first uncorrectable error', () => {
    const { silicon } = functionWithAer();
    silicon.reportError({ correctable: false, status: UNSUPPORTED, header: [1, 2, 3, 0xfffffff4] });
    silicon.reportError({ correctable: false, status: MALFORMED, header: [9, 9, 9, 9] });
    expect(silicon.config.read(AER + 0x18, 4) & 0x1f).toBe(20);
    expect([0, 4, 8, 12].map((at) => silicon.config.read(AER + 0x1c + at, 4))).toEqual([
      1, 2, 3, 0xfffffff4,
    ]);
  });

  test('logs a masked error without a message', () => {
    const { silicon, messages } = functionWithAer();
    silicon.config.write(AER + 0x08, 4, UNSUPPORTED);
    silicon.reportError({ correctable: false, status: UNSUPPORTED });
    expect(silicon.config.read(AER + 0x04, 4)).toBe(UNSUPPORTED);
    expect(messages).toEqual([]);
  });

  test('needs an enable bit, or SERR for uncorrectable errors', () => {
    const { silicon, messages } = functionWithAer();
    silicon.config.write(DEVCTL, 2, 0);
    silicon.reportError({ correctable: false, status: POISONED });
    expect(messages).toEqual([]);
    silicon.config.write(0x04, 2, 0x0100);
    silicon.reportError({ correctable: false, status: POISONED });
    silicon.reportError({ correctable: true, status: RECEIVER });
    expect(messages).toEqual(['nonfatal']);
  });

  test('without AER remembers the error in Device Status only', () => {
    const silicon = new PciFunction({ config: configOf({ capabilities: [EXPRESS] }) });
    const messages: string[] = [];
    silicon.connect({ error: (severity) => messages.push(severity) });
    silicon.config.write(DEVCTL, 2, 0x0002);
    silicon.reportError({ correctable: false, status: MALFORMED });
    expect(silicon.config.read(DEVSTA, 2) & 0xf).toBe(2);
    expect(messages).toEqual(['nonfatal']);
  });

  test('survives a function level reset with its status, mask and severity', () => {
    const { silicon } = functionWithAer();
    silicon.config.write(AER + 0x08, 4, POISONED);
    silicon.reportError({ correctable: false, status: MALFORMED });
    silicon.reset('flr');
    expect(silicon.config.read(AER + 0x04, 4)).toBe(MALFORMED);
    expect(silicon.config.read(AER + 0x08, 4)).toBe(POISONED);
    silicon.reset('cold');
    expect(silicon.config.read(AER + 0x04, 4)).toBe(0);
    expect(silicon.config.read(AER + 0x0c, 4)).toBe(0x00462030);
  });
});
