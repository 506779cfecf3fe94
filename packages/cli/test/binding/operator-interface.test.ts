import { expect, test } from 'vitest';
import { operatorInterface } from '../../src/binding/operator-interface.js';

const INTERFACES = {
  lo: [{ address: '127.0.0.1' }],
  eno1: [{ address: '192.0.2.7' }, { address: '2001:db8::7' }],
} as unknown as NonNullable<Parameters<typeof operatorInterface>[1]>;

test.each([
  ['198.51.100.2 50022 192.0.2.7 22', 'eno1'],
  ['2001:db8::2 50022 2001:db8::7 22', 'eno1'],
  ['198.51.100.2 50022 192.0.2.8 22', undefined],
  ['', undefined],
])('whoever came by "%s" came in by %s', (connection, name) => {
  expect(operatorInterface(connection, INTERFACES)).toBe(name);
});
