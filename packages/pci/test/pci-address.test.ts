import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PciAddress } from '../src/index.js';

describe('PCI address', () => {
  test.each([
    ['0000:00:02.0', 0, 0, 2, 0, '0000:00:02.0'],
    ['00:1f.3', 0, 0, 0x1f, 3, '0000:00:1f.3'],
    ['10000:e1:00.0', 0x10000, 0xe1, 0, 0, '10000:e1:00.0'],
    ['ABCD:0F:1e.7', 0xabcd, 0x0f, 0x1e, 7, 'abcd:0f:1e.7'],
    ['ffffffff:00:00.0', 0xffffffff, 0, 0, 0, 'ffffffff:00:00.0'],
  ])('reads %s', (text, domain, bus, device, number, formatted) => {
    const address = PciAddress.parse(text);
    expect([address.domain, address.bus, address.device, address.function]).toEqual([
      domain,
      bus,
      device,
      number,
    ]);
    expect(`${address}`).toBe(formatted);
  });

  test.each([
    '',
    '0000:00:20.0',
    '00:02.8',
    '0:0:0',
    '100000000:00:00.0',
    '0000-00-02.0',
    'x00:02.0',
  ])('refuses %j', (text) => {
    expect(PciAddress.tryParse(text)).toBeUndefined();
    expect(() => PciAddress.parse(text)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test('packs into a routing id', () => {
    const address = PciAddress.parse('0000:03:1f.7');
    expect([address.routingId, address.devfn]).toEqual([0x03ff, 0xff]);
    expect(PciAddress.fromRoutingId(1, 0x03ff).toString()).toBe('0001:03:1f.7');
  });

  const address = fc
    .record({
      domain: fc.integer({ min: 0, max: 0xffffffff }),
      routingId: fc.integer({ min: 0, max: 0xffff }),
    })
    .map(({ domain, routingId }) => PciAddress.fromRoutingId(domain, routingId));

  test('written and read again is itself', () => {
    fc.assert(
      fc.property(address, (one) => {
        expect(PciAddress.parse(one.toString()).equals(one)).toBe(true);
      }),
    );
  });

  test('orders by domain, then by bus, device and function', () => {
    fc.assert(
      fc.property(address, address, (one, other) => {
        const order = Math.sign(one.compare(other));
        expect(Math.sign(other.compare(one))).toBe(-order + 0);
        expect(order === 0).toBe(one.equals(other));
      }),
    );
    const sorted = ['0001:00:00.0', '0000:02:00.0', '0000:00:1f.0', '0000:00:02.1']
      .map(PciAddress.parse)
      .sort((a, b) => a.compare(b))
      .join(' ');
    expect(sorted).toBe('0000:00:02.1 0000:00:1f.0 0000:02:00.0 0001:00:00.0');
  });
});
