import { describe, expect, it } from 'vitest';
import { openConfig, referenceFunction } from './reference-function.js';

/** `read AT SIZE = VALUE : hardware` and `write AT SIZE VALUE : hardware`, all in hexadecimal, executed in order. */
function play(script: string): void {
  const device = openConfig(referenceFunction());
  device.effects.vpd.set([0xaa, 0xbb, 0xcc, 0xdd], 0x10);
  for (const line of script.trim().split('\n')) {
    const [action = '', hardware = ''] = line.split(':').map((part) => part.trim());
    const [verb = '', at = '', size = '', ...rest] = action.split(/\s+/);
    if (verb === 'set') {
      device.hw.set(
        Number.parseInt(at, 16),
        Number(size) as 1 | 2 | 4,
        Number.parseInt(rest[0]!, 16),
      );
      continue;
    }
    if (verb === 'msi') {
      device.effects.msiActive = true;
      device.effects.msiQmax = Number(at);
      continue;
    }
    const position = Number.parseInt(at, 16);
    const result =
      verb === 'read'
        ? device.read(position, Number(size))
        : device.write(position, Number(size), Number.parseInt(rest[0] ?? '0', 16));
    expect(result.hw.toLowerCase(), line).toBe(hardware.toLowerCase());
    if (verb === 'write') expect((result as { result: number }).result, line).toBe(Number(size));
    const wanted = rest[rest.indexOf('=') + 1];
    if (verb === 'read' && rest.includes('='))
      expect((result as { value: number }).value.toString(16), line).toBe(
        Number.parseInt(wanted!, 16).toString(16),
      );
  }
}

const BARS = 'R32@10 R32@14 R32@18 R32@1c R32@24';

describe('[core:C4.108] the golden vectors', () => {
  it('reads the header', () => {
    play(`
      read 0 4 = 56781234 :
      read 4 4 = 08100003 : R32@4
      read 1 3 :
      read 3c 4 = 100 : R32@3c
      write 3c 4 5 :
      read 3c 1 = 5 :
    `);
  });

  it('sizes BARs without touching the hardware', () => {
    play(`
      read 10 4 = f0000000 :
      read 14 4 = c :
      read 18 4 = 40 :
      read 1c 4 = e005 :
      read 24 4 = e021 :
      read 30 4 = f1000000 :
      read 20 4 = 0 :
      write 10 4 ffffffff :
      write 14 4 ffffffff :
      write 18 4 ffffffff :
      write 1c 4 ffffffff :
      write 20 4 ffffffff :
      write 24 4 ffffffff :
      write 30 4 ffffffff :
      read 10 4 = ffff0000 :
      read 14 4 = c :
      read 18 4 = fffffffe :
      read 1c 4 = fffffffd :
      read 20 4 = ffffffff :
      read 24 4 = ffffffe1 :
      read 30 4 = fffe0001 :
    `);
  });

  it('[core:C4.27 core:C4.16 core:C4.15] writes COMMAND', () => {
    play(`
      write 4 2 407 : R16@4 ${BARS} R16@4 W16@4=0007 unrevoke mask
      write 4 2 7 : R16@4 ${BARS} R16@4 W16@4=0007 unrevoke unmask
      write 4 4 7 : R16@4 ${BARS} R32@4 W32@4=08100007 unrevoke
      write 4 1 5 : R16@4 zap revoke ${BARS} R8@4 W8@4=05
      write 5 1 4 : R8@5 W8@5=00 mask
      write 5 1 0 : R8@5 W8@5=00 unmask
      write 6 2 ffff :
    `);
  });

  it('[core:C4.28] restores BARs that somebody changed', () => {
    play(`
      set 10 4 0 :
      write 4 2 7 : R16@4 R32@10 W32@10=f0000000 W32@14=0000000c W32@18=00000040 W32@1c=0000e005 W32@20=00000000 W32@24=0000e021 W32@30=f1000000 R16@4 W16@4=0007 unrevoke
    `);
  });

  it('[core:C4.29] restores BARs when memory was turned off behind its back', () => {
    play(`
      set 4 2 0 :
      write 4 2 7 : R16@4 W32@10=f0000000 W32@14=0000000c W32@18=00000040 W32@1c=0000e005 W32@20=00000000 W32@24=0000e021 W32@30=f1000000 R16@4 W16@4=0007 unrevoke
    `);
  });

  it('hides PME and passes the D-state to the host', () => {
    play(`
      read 40 4 = 00035001 : R32@40
      read 44 4 = 8 : R32@44
      write 44 2 3 : R16@44 W16@44=8100 zap revoke power 3 unrevoke
      write 44 2 0 : R16@44 W16@44=8100 power 0 unrevoke
      write 45 1 3 : R8@45 W8@45=83
    `);
  });

  it('virtualises MSI', () => {
    play(`
      read 50 4 = 846005 : R32@50
      write 52 2 1 : W16@52=0000
      read 52 2 = 0 : R16@52
      write 50 1 0 :
      write 51 1 0 : W16@52=0000
      write 54 4 fee00000 :
      read 54 4 = fee00000 :
      write 5c 4 12345678 : W16@5e=1234
      read 5c 4 = 5678 : R16@5e
      msi 2
      write 52 2 21 : W16@52=0021
      read 52 2 = 21 : R16@52
    `);
  });

  it('passes vendor capabilities through', () => {
    play('write 60 4 ffffffff : W32@60=ffffffff');
  });

  it('virtualises parts of PCI Express', () => {
    play(`
      write 78 2 a810 : R16@78 W16@78=2810 R32@74 zap revoke reset unrevoke
      write 78 2 210 : R16@78 W16@78=2010 MRRS 256
      read 78 2 = 810 : R16@78
      write 98 2 ffff : R16@98 W16@98=ffdf
      write 80 2 ffff :
      read 70 2 = b810 : R16@70
    `);
  });

  it('leaves hidden capabilities raw and MSI-X read-only', () => {
    play(`
      write b4 4 55 : W32@b4=00000055
      write ba 2 c000 :
    `);
  });

  it('resets by AF', () => {
    play('write c8 4 ffffffff : R8@c7 zap revoke reset unrevoke W16@ca=ffff');
  });

  it('serves VPD', () => {
    play(`
      write ce 2 10 : VPD read 10
      read ce 2 = 8010 :
      read d0 4 = ddccbbaa :
      write ce 2 8012 : VPD write 12
      read ce 2 = 8012 :
      write ce 2 8010 : VPD write 10
      read ce 2 = 10 :
      write ce 1 4 :
      write cc 4 400000 : VPD read 40
      read cc 4 = 80400003 : R32@cc
      read d0 4 = 0 :
    `);
  });

  it('virtualises extended configuration space', () => {
    play(`
      read 100 4 = 11000000 : R32@100
      read 104 4 : R32@104
      write 104 4 1 : W32@104=00000001
      read 110 4 = 15010001 :
      write 114 4 ffffffff : R32@114 W32@114=03fff031
      write 13c 4 9 : W32@13c=00000009
      write 150 4 7 : W32@150=00000007
      write 158 4 7 : W32@158=00000007
      write 174 4 1 :
      write 178 4 11223344 : R32@178 W32@178=00000044
      write 190 4 1 :
      read ffe 4 = -e :
      read 1000 1 = -e :
    `);
  });
});
