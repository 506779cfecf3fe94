import type { PciResource } from '@vfiokit/pci';
import { StoredConfig } from '@vfiokit/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openConfig, referenceFunction, resource } from './reference-function.js';

const EFAULT = 14;
const open = (options: Parameters<typeof openConfig>[1] = {}) =>
  openConfig(referenceFunction(), options);

/** A PCI Express function with one standard or extended capability of 4096 bytes of storage. */
function withStandard(id: number, flags: number): StoredConfig {
  const hw = new StoredConfig(4096);
  return hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, id).set(0x42, 2, flags);
}
function withExtended(id: number): StoredConfig {
  return withStandard(0x10, 2).set(0x100, 4, 0x00010000 | id);
}

describe('accesses', () => {
  it('[core:C4.1 core:C4.2] fail whole if they end past the end', () => {
    const { read, traced } = openConfig(withStandard(0x01, 0));
    expect(read(0xffe, 4)).toEqual({ value: -EFAULT, hw: '' });
    expect(traced.log).toEqual([]);
    const small = openConfig(new StoredConfig(256));
    expect(small.read(255, 2)).toEqual({ value: -EFAULT, hw: '' });
    expect(small.read(255, 1).value).toBe(0);
  });

  it('[core:C4.3] of 8 bytes make at most two dword reads', () => {
    expect(open().read(0x04, 8).hw.split(' ')).toEqual(['R32@4', 'R32@8']);
    expect(open().read(0x00, 8).hw).toBe('R32@4');
  });

  it('[core:C4.4] of 3 bytes at 1 are a byte and a word', () => {
    expect(open().read(0x09, 3).hw).toBe('R8@9 R16@a');
  });

  it('[core:C4.110] report the second chunk that fails, though the first took effect', () => {
    const hw = new StoredConfig(256);
    const failing = openConfig(hw);
    const write = hw.write.bind(hw);
    hw.write = (offset, size, value) => (offset === 0x44 ? -5 : write(offset, size, value));
    expect(failing.space.writeBytes(new Uint8Array(8).fill(0xab), 0x40)).toBe(-5);
    expect(hw.read(0x40, 4)).toBe(0xabababab);
  });

  it('are the same through single values and through buffers', () => {
    const one = open();
    const other = open();
    fc.assert(
      fc.property(
        fc.nat(4095),
        fc.constantFrom(1, 2, 4),
        fc.nat(0xffffffff),
        fc.boolean(),
        fc.boolean(),
        (at, size, value, isWrite, isAligned) => {
          const position = isAligned ? at - (at % size) : at;
          const wanted = (value & (size === 4 ? -1 : 2 ** (8 * size) - 1)) >>> 0;
          const single = isWrite
            ? Math.min(one.space.write(position, size, wanted), 0)
            : one.space.read(position, size);
          const { hw, ...answer } = isWrite
            ? other.write(position, size, wanted)
            : other.read(position, size);
          const buffered = 'value' in answer ? answer.value : Math.min(answer.result, 0);
          expect(single).toBe(buffered);
          expect(one.traced.take().join(' ')).toBe(hw);
          expect([...one.vconfig]).toEqual([...other.vconfig]);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the header', () => {
  it('[core:C4.5 core:C4.6] has virtual ids that writes do not change', () => {
    const { read, write } = open();
    expect(write(0x00, 4, 0)).toEqual({ result: 4, hw: '' });
    expect(read(0x00, 4)).toEqual({ value: 0x56781234, hw: '' });
  });

  it('[core:C4.7 core:C4.10] shows a VF what the host knows of it, and no pin', () => {
    const hw = referenceFunction().set(0x00, 4, 0xffffffff);
    const { read } = openConfig(hw, { isVirtfn: true });
    expect(read(0x00, 4).value).toBe(0x56781234);
    expect(read(0x3d, 1).value).toBe(0);
  });

  it('[core:C4.8 core:C4.9] shows a VF the memory enable that it has not', () => {
    const hw = referenceFunction().set(0x04, 2, 0);
    const { read, write, effects } = openConfig(hw, { isVirtfn: true });
    expect(read(0x04, 2).value).toBe(0x0002);
    hw.set(0x06, 2, 0x8010);
    expect(read(0x04, 4).value).toBe(0x80100002);
    write(0x04, 2, 0);
    expect(read(0x04, 2).value).toBe(0);
    expect(effects.memoryOpen()).toBe(true);
  });

  it('[core:C4.11] shows no pin without an interrupt of the host', () => {
    expect(open({ hidePin: true }).read(0x3d, 1).value).toBe(0);
  });

  it('[core:C4.12] keeps the interrupt line to itself', () => {
    const { write, read, hw } = open();
    write(0x3c, 1, 0x2a);
    expect(read(0x3c, 1)).toEqual({ value: 0x2a, hw: '' });
    expect(hw.read(0x3c, 1)).toBe(0);
  });

  it('[core:C4.13] ignores writes to STATUS', () => {
    expect(open().write(0x06, 2, 0xffff)).toEqual({ result: 2, hw: '' });
  });

  it('[core:C4.14] acknowledges STATUS by a dword write to COMMAND', () => {
    const { write } = openConfig(referenceFunction().set(0x06, 2, 0xf910));
    expect(write(0x04, 4, 0x7).hw).toContain('W32@4=f9100007');
  });

  it('[core:C4.35 core:C4.36] passes cache line size, latency and BIST, not the header type and subsystem', () => {
    const { write } = open();
    expect(write(0x0c, 1, 8).hw).toBe('R8@c W8@c=08');
    expect(write(0x0d, 1, 8).hw).toBe('R8@d W8@d=08');
    expect(write(0x0f, 1, 8).hw).toBe('R8@f W8@f=08');
    expect(write(0x0e, 1, 8).hw).toBe('');
    expect(write(0x2c, 4, 8).hw).toBe('');
    expect(open().read(0x2c, 4).hw).toBe('R32@2c');
  });

  it('[core:C4.106] shows DisINTx as it was when INTx is hidden', () => {
    const { read } = openConfig(referenceFunction().set(0x04, 2, 0x0403), {
      nointx: true,
      hidePin: true,
    });
    expect(read(0x04, 2).value).toBe(0x0403);
  });
});

describe('BARs', () => {
  const absent = resource(0n, 0);
  const probe = (resources: PciResource[], at: number, value = 0xffffffff) => {
    const { read, write } = open({ resources });
    write(at, 4, value);
    return read(at, 4);
  };
  const bar0 = (resource: PciResource) => [
    resource,
    absent,
    absent,
    absent,
    absent,
    absent,
    absent,
  ];

  it('[core:C4.17 core:C4.22] size a 64 KiB memory BAR without touching the hardware', () => {
    expect(probe(bar0(resource(0xf0000000n, 0x10000)), 0x10)).toEqual({
      value: 0xffff0000,
      hw: '',
    });
  });

  it('[core:C4.18] show that a BAR is prefetchable', () => {
    expect(probe(bar0(resource(0xf0000000n, 0x10000, { prefetch: true })), 0x10).value).toBe(
      0xffff0008,
    );
  });

  it('[core:C4.19] size an 8 GiB BAR over two registers', () => {
    const wide = bar0(resource(0x40_00000000n, 8 * 2 ** 30, { prefetch: true, wide: true }));
    expect(probe(wide, 0x10).value).toBe(0x0000000c);
    expect(probe(wide, 0x14).value).toBe(0xfffffffe);
  });

  it('[core:C4.20 core:C4.21] size an I/O BAR, and read an absent one as 0', () => {
    const io = bar0(resource(0xe020n, 32, { io: true }));
    expect(probe(io, 0x10).value).toBe(0xffffffe1);
    expect(probe(io, 0x14).value).toBe(0);
  });

  it('[core:C4.23] start with what the host assigned', () => {
    expect(open().read(0x1c, 4).value).toBe(0x0000e005);
  });

  it('[core:C4.24] size a ROM, with its enable bit as written', () => {
    const rom = [absent, absent, absent, absent, absent, absent, resource(0xf1000000n, 0x20000)];
    expect(probe(rom, 0x30).value).toBe(0xfffe0001);
    expect(probe(rom, 0x30, 0xfffffffe).value).toBe(0xfffe0000);
  });

  it('size the ROM that the firmware handed over, rounded up', () => {
    const { read, write } = open({ resources: bar0(absent), firmwareRomSize: 20 * 1024 });
    write(0x30, 4, 0xffffffff);
    expect(read(0x30, 4).value).toBe(0xffff8001);
  });

  it('[core:C4.25] mask what was written in bytes', () => {
    const { read, write } = open();
    write(0x12, 1, 0x34);
    write(0x11, 1, 0xff);
    expect(read(0x10, 4).value).toBe(0xf0340000);
  });

  it('[core:C4.26] let a 4-byte I/O BAR swallow the next, or not', () => {
    const io4 = resource(0xe004n, 4, { io: true });
    const resources = [io4, absent, absent, absent, absent, absent, absent];
    const swallowed = open({ resources });
    for (const at of [0x10, 0x14]) swallowed.write(at, 4, 0xffffffff);
    expect(swallowed.read(0x14, 4).value).toBe(0xffffffff);
    const sane = open({ resources, quirks: { ioBarKeepsNext: true } });
    for (const at of [0x10, 0x14]) sane.write(at, 4, 0xffffffff);
    expect(sane.read(0x14, 4).value).toBe(0);
  });
});

describe('COMMAND', () => {
  it('[core:C4.30] restores BARs when ports were turned off behind its back', () => {
    const { write, hw } = open();
    hw.set(0x04, 2, 0x0002);
    expect(write(0x04, 2, 0x0003).hw).toContain('W32@10=f0000000');
  });

  it('[core:C4.31] never restores BARs of a VF', () => {
    const { write, hw } = openConfig(referenceFunction(), { isVirtfn: true });
    hw.set(0x10, 4, 0).set(0x04, 2, 0);
    expect(write(0x04, 2, 0x0007).hw).not.toContain('W32@10');
  });

  it('[core:C4.32] takes memory away before it is turned off', () => {
    expect(open().write(0x04, 2, 0x0005).hw).toMatch(/^R16@4 zap revoke .*W16@4=0005$/);
  });

  it('[core:C4.33] takes enables from a write at 4, not from one at 5', () => {
    const { write, effects } = open();
    write(0x04, 1, 0x00);
    expect(effects.memoryOpen()).toBe(false);
    expect(write(0x05, 1, 0x02).hw).not.toMatch(/zap|revoke/);
    expect(effects.memoryOpen()).toBe(false);
    expect(write(0x04, 1, 0x02).hw).toMatch(/ unrevoke$/);
    expect(effects.memoryOpen()).toBe(true);
    expect(write(0x05, 1, 0x00).hw).toBe('R8@5 W8@5=00');
    expect(effects.memoryOpen()).toBe(true);
  });

  it('[core:C4.34] masks INTx by a byte write at 5', () => {
    expect(open().write(0x05, 1, 0x04).hw).toBe('R8@5 W8@5=00 mask');
  });
});

describe('capabilities', () => {
  it('[core:C4.44 core:C4.45] hide PME of power management', () => {
    const { read, write } = open();
    expect(read(0x42, 2).value).toBe(0x0003);
    write(0x44, 2, 0x8100);
    expect(read(0x44, 2).value & 0x8100).toBe(0);
  });

  it('[core:C4.48] take no D-state from the byte above', () => {
    expect(open().write(0x45, 1, 0x03).hw).not.toContain('power');
  });

  it('[core:C4.52 core:C4.53 core:C4.54 core:C4.55 core:C4.56 core:C4.57] serve VPD before the write returns', () => {
    const { read, write, effects } = open();
    effects.vpd.set([1, 2, 3, 4], 8);
    write(0xce, 2, 0x0008);
    expect(read(0xce, 2).value).toBe(0x8008);
    expect(read(0xd0, 4).value).toBe(0x04030201);
    write(0xce, 2, 0x0100);
    expect(read(0xce, 2).value).toBe(0x8100);
    expect(read(0xd0, 4).value).toBe(0);
    effects.readVpd = () => -5;
    write(0xce, 2, 0x0008);
    expect(read(0xce, 2).value).toBe(0x0008);
    write(0xce, 2, 0x800a);
    expect(read(0xce, 2).value).toBe(0x800a);
    expect(write(0xce, 1, 0x04).hw).toBe('');
    write(0xd0, 4, 0x11223344);
    expect(write(0xcc, 4, 0x80080000).hw).toBe('VPD write 8');
  });

  it('[core:C4.58 core:C4.59 core:C4.60] keep payload sizes, and give the host the read request', () => {
    const { read, write, hw } = open();
    expect(write(0x78, 2, 0x28f0).hw).toBe('R16@78 W16@78=2810');
    expect(read(0x78, 2).value & 0xe0).toBe(0xe0);
    expect(write(0x78, 2, 0x0810).hw).toContain('MRRS 256');
    expect(write(0x78, 2, 0x5810).hw).toContain('MRRS 4096');
    expect(write(0x78, 2, 0x0810).hw).toContain('MRRS 256');
    expect(read(0x78, 2).value & 0x7000).toBe(0);
    write(0x78, 2, 0x0a10);
    expect(hw.read(0x78, 2) & 0x0200).toBe(0);
  });

  it('[core:C4.61] keep ARI forwarding from the user', () => {
    expect(open().write(0x98, 2, 0xffff).hw).toBe('R16@98 W16@98=ffdf');
  });

  it('[core:C4.62 core:C4.63] reset by the FLR bit where the device can', () => {
    const { read, write } = open();
    expect(write(0x78, 2, 0x8000).hw).toContain('reset');
    expect(read(0x78, 2).value & 0x8000).toBe(0);
    const without = openConfig(referenceFunction().set(0x74, 4, 0));
    expect(without.write(0x78, 2, 0x8000).hw).not.toContain('reset');
    expect(without.read(0x78, 2).value & 0x8000).toBe(0);
  });

  it('[core:C4.64] acknowledge Device Status by a dword write to Device Control', () => {
    const { write } = openConfig(referenceFunction().set(0x7a, 2, 0x000f));
    expect(write(0x7a, 2, 0x000f).hw).toBe('');
    expect(write(0x78, 4, 0x2810).hw).toBe('R32@78 W32@78=000f2810');
  });

  it('[core:C4.65] keep Link Control read-only', () => {
    expect(open().write(0x80, 2, 0xffff).hw).toBe('');
  });

  it('[core:C4.67 core:C4.68 core:C4.69] reset by AF where both bits allow it', () => {
    expect(open().write(0xc8, 1, 1).hw).toContain('reset');
    for (const one of [0, 1, 2])
      expect(openConfig(referenceFunction().set(0xc7, 1, one)).write(0xc8, 1, 1).hw).not.toContain(
        'reset',
      );
    const { read, write } = open();
    write(0xc8, 1, 1);
    expect(read(0xc8, 1).value).toBe(0);
    expect(write(0xca, 2, 0x1234).hw).toBe('W16@ca=1234');
  });

  it('[core:C4.71] keep MSI addresses and data to themselves', () => {
    const { write } = open();
    for (const [at, size] of [
      [0x54, 4],
      [0x58, 4],
      [0x5c, 2],
    ] as const)
      expect(write(at, size, 0x1234).hw).toBe('');
  });

  it('[core:C4.72 core:C4.73 core:C4.74 core:C4.75 core:C4.78] let MSI control follow what was enabled', () => {
    const { read, write, effects } = open();
    write(0x52, 2, 0x0001);
    expect(read(0x52, 2).value & 1).toBe(0);
    write(0x52, 2, 0x0070);
    expect(read(0x52, 2).value & 0x70).toBe(0);
    effects.msiActive = true;
    effects.msiQmax = 2;
    expect(write(0x52, 2, 0x0021).hw).toBe('W16@52=0021');
    expect(write(0x52, 2, 0x0071).hw).toBe('W16@52=0021');
    expect(write(0x52, 2, 0x0011).hw).toBe('W16@52=0011');
    expect(write(0x52, 2, 0x0020).hw).toBe('W16@52=0020');
    write(0x52, 1, 0x0e);
    expect(read(0x52, 1).value & 0x0e).toBe(0x0e);
  });

  it('[core:C4.76] pass MSI control on from a word at the id, not from a byte there', () => {
    expect(open().write(0x50, 2, 0).hw).toBe('W16@52=0084');
    expect(open().write(0x50, 1, 0).hw).toBe('');
  });

  it('[core:C4.77] pass the MSI mask bits to the hardware', () => {
    const { write } = openConfig(withStandard(0x05, 0x0180));
    expect(write(0x50, 4, 0x3).hw).toBe('R32@50 W32@50=00000003');
  });

  it('[core:C4.107] read a 10-byte MSI capability and the gap behind it by one word each', () => {
    const { read } = openConfig(withStandard(0x05, 0x0000));
    expect(read(0x48, 4).hw).toBe('R16@4a');
  });

  it('[core:C4.79] keep MSI-X control from the user', () => {
    expect(open().write(0xba, 2, 0xffff).hw).toBe('');
  });

  it('[core:C4.80] pass vendor capabilities through, links apart', () => {
    const { read, write, hw } = open();
    expect(write(0x64, 4, 5).hw).toBe('W32@64=00000005');
    write(0x60, 2, 0xffff);
    expect(hw.read(0x60, 2)).toBe(0x7009);
    expect(read(0x60, 2).value).toBe(0x7009);
  });

  it('[core:C4.82] open the PCI-X command, not its status', () => {
    const { write } = openConfig(withStandard(0x07, 0));
    expect(write(0x42, 2, 0x7f).hw).toBe('R16@42 W16@42=007f');
    expect(write(0x44, 4, 0x7f).hw).toBe('');
  });

  it.each([0x08, 0x02, 0x12])('[core:C4.83] drop writes to capability %i', (id) => {
    expect(openConfig(withStandard(id, 0)).write(0x44, 4, 0xffffffff).hw).toBe('');
  });
});

describe('extended capabilities', () => {
  it.each([
    [0x104, 0x03fff031],
    [0x108, 0x03fff031],
    [0x10c, 0x03fff031],
    [0x110, 0x0000f1c1],
    [0x114, 0x0000f1c1],
    [0x118, 0x00000140],
  ])('[core:C4.90] open the bits of AER at %i that the specification knows', (at, bits) => {
    const { write } = openConfig(withExtended(0x01));
    expect(write(at, 4, 0xffffffff).hw.split('=')[1]).toBe(bits.toString(16).padStart(8, '0'));
  });

  it('[core:C4.91] keep the header log of AER, and leave what follows raw', () => {
    const { write } = openConfig(withExtended(0x01));
    expect(write(0x11c, 4, 1).hw).toBe('');
    expect(write(0x12c, 4, 1).hw).toBe('W32@12c=00000001');
  });

  it('[core:C4.92] open the wrong register of Power Budgeting, or the right one', () => {
    const { write } = openConfig(withExtended(0x04));
    expect(write(0x108, 1, 1).hw).toBe('R8@108 W8@108=01');
    expect(write(0x104, 1, 1).hw).toBe('');
    const sane = openConfig(withExtended(0x04), { quirks: { powerBudgetingSelect: true } });
    expect(sane.write(0x108, 1, 1).hw).toBe('');
    expect(sane.write(0x104, 1, 1).hw).toBe('R8@104 W8@104=01');
  });

  it.each([0x10, 0x0f, 0x13, 0x0d, 0x0e, 0x15, 0x18, 0x03, 0x17, 0x16, 0x02])(
    '[core:C4.93] keep capability %i read-only',
    (id) => {
      const { write, read } = openConfig(withExtended(id).set(0x108, 1, 1 << 5));
      expect(write(0x104, 4, 0xffffffff).hw).toBe('');
      expect(read(0x104, 4).hw).toBe('R32@104');
    },
  );

  it.each([0x0b, 0x23])('[core:C4.94] pass the body of capability %i through', (id) => {
    const { write, read } = openConfig(withExtended(id).set(0x104, 4, 0x01400000));
    expect(write(0x108, 4, 1).hw).toBe('W32@108=00000001');
    write(0x100, 4, 0);
    expect(read(0x100, 4).value).toBe(0x00010000 | id);
  });
});

describe('whatever a user does', () => {
  it('never changes a bit that the tables protect', () => {
    const before = referenceFunction();
    const { space, hw } = open();
    fc.assert(
      fc.property(fc.nat(4095), fc.uint8Array({ minLength: 1, maxLength: 16 }), (at, bytes) => {
        space.writeBytes(bytes, at);
        for (let i = 0; i < 4096; i += 1) {
          const { writable, virtual, owner } = space.describe(i);
          if (owner === 'raw' || i === 0x52) continue;
          const changed = hw.bytes[i]! ^ before.bytes[i]!;
          expect(changed & ~(writable & ~virtual), `byte ${i.toString(16)}`).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never throws, over any hardware', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
        fc.array(fc.tuple(fc.nat(4200), fc.constantFrom(1, 2, 4), fc.nat(0xffffffff)), {
          maxLength: 50,
        }),
        (bytes, accesses) => {
          const hw = new StoredConfig(4096);
          hw.bytes.set(bytes);
          const { space } = openConfig(hw);
          for (const [at, size, value] of accesses) {
            expect(space.read(at, size)).toBeGreaterThanOrEqual(-EFAULT);
            expect(space.write(at, size, value)).toBeGreaterThanOrEqual(-EFAULT);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
