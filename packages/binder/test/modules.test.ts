import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  AliasIndex,
  globMatches,
  libvirtMatch,
  ModuleIndex,
  NO_CONFIG,
  normalizeAlias,
  parseBinaryIndex,
  parseBuiltinModinfo,
  parseModalias,
  parseModprobeConfig,
  parseModulesAlias,
  strictMatch,
} from '@vfiokit/binder';
import { readCapture } from '@vfiokit/host';
import { pciAlias } from '@vfiokit/pci';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeBinaryIndex } from '../bench/write-index.js';
import { IX1, IX2 } from './testbed.js';

const A = 'pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00';
const V = 'pci:v000015B3d0000101Esv000015B3sd00000058bc02sc00i00';
const HOSTS = new URL('../../../../shared/hosts/', import.meta.url).pathname;

const line = (fields: string, module = 'm') => `alias vfio_pci:${fields} ${module}`;
const index = (...lines: string[]) => `#\n${lines.join('\n')}\n`;
const strict = (text: string, modalias: string) =>
  strictMatch(ModuleIndex.fromText(text, 'x'), modalias);

describe('aliases that drivers advertise', () => {
  test.each([
    ['[binding:143]', {}, 'vfio_pci:v*d*sv*sd*bc*sc*i*'],
    [
      '[binding:144]',
      { vendor: 0x15b3, device: 0x101e },
      'vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*',
    ],
    ['[binding:145]', { class: 0x030000, classMask: 0xff0000 }, 'vfio_pci:v*d*sv*sd*bc03sc*i*'],
    ['[binding:145]', { class: 0x030000, classMask: 0xffffff }, 'vfio_pci:v*d*sv*sd*bc03sc00i00*'],
    ['[binding:146]', { class: 0x030000, classMask: 0xf00000 }, undefined],
  ])('%s %j', (_, entry, alias) => {
    expect(pciAlias({ ...entry, overrideOnly: true })).toBe(alias);
  });
});

describe('looking an alias up', () => {
  test('[binding:147] an ordinary modalias never finds a VFIO driver', () => {
    expect(ModuleIndex.fromText(IX1, 'x').lookUp(A).modules).toEqual(['e1000e']);
  });

  test('[binding:148] all modules that match are found, in their order, not by how well they fit', () => {
    const key = V.replace('pci:', 'vfio_pci:');
    expect(ModuleIndex.fromText(IX1, 'x').lookUp(key).modules).toEqual([
      'vfio_pci',
      'mlx5_vfio_pci',
    ]);
  });

  test('[binding:149] dashes and underscores are the same on both sides', () => {
    const found = new AliasIndex([
      { pattern: 'net-pf-*', module: 'a', line: 1 },
      { pattern: 'net_pf_*', module: 'b', line: 2 },
    ]);
    expect(found.modules('net-pf_10')).toEqual(['a', 'b']);
    expect(normalizeAlias('a-[x-z]-b')).toBe('a_[x-z]_b');
  });

  test('[binding:150] a stray bracket makes a key that finds nothing', () => {
    const found = ModuleIndex.fromText(IX1, 'x');
    expect(found.lookUp('vfio_pci:v]')).toMatchObject({ valid: false, modules: [] });
    expect(normalizeAlias('a[b')).toBeUndefined();
  });

  const configured = (text: string) =>
    new ModuleIndex({
      identity: { path: 'x', bytes: 0, digest: '' },
      aliases: parseModulesAlias(IX1),
      config: parseModprobeConfig([text]),
    });

  test("[binding:151] the administrator's alias hides the index", () => {
    const found = configured('alias pci:v00008086d000010D3* my-driver\n').lookUp(A);
    expect(found).toMatchObject({ source: 'config', modules: ['my_driver'] });
  });

  test('[binding:152] a blacklist counts for aliases, not for names', () => {
    const found = configured('# no\nblacklist e1000e\n');
    expect(found.lookUp(A)).toMatchObject({ modules: [], blacklisted: ['e1000e'] });
    expect(found.lookUp('e1000e')).toMatchObject({ source: 'name', modules: ['e1000e'] });
    expect(found.blacklisted('e1000e')).toBe(true);
  });

  test('[binding:153] a line that stands there twice is one candidate', () => {
    const twice = index(
      line('v*d*sv*sd*bc*sc*i*', 'vfio_pci'),
      line('v*d*sv*sd*bc*sc*i*', 'vfio_pci'),
    );
    expect(strict(twice, A).candidates).toHaveLength(1);
    expect(strict(twice, A).tie).toEqual(['vfio_pci']);
  });

  test('a softdep, an install command and options are read', () => {
    const config = parseModprobeConfig([
      'softdep nvidia pre: vfio-pci post: x\ninstall a-b /bin/true\noptions vfio-pci \\\n ids=10de:2204\n',
    ]);
    expect(config.softdeps.get('nvidia')).toEqual(['vfio_pci']);
    expect(config.install.get('a_b')).toBe('/bin/true');
    expect(config.options.get('vfio_pci')).toBe('ids=10de:2204');
    expect(NO_CONFIG.blacklist.size).toBe(0);
  });

  test('drivers that are compiled in are found where nothing else is', () => {
    const found = new ModuleIndex({
      identity: { path: 'x', bytes: 0, digest: '' },
      aliases: [],
      builtinAliases: parseBuiltinModinfo(
        'vfio_pci.alias=vfio_pci:v*d*sv*sd*bc*sc*i*\0vfio_pci.license=GPL\0',
      ),
      builtin: new Set(['vfio_pci']),
    });
    expect(found.lookUp(A.replace('pci:', 'vfio_pci:'))).toMatchObject({
      source: 'builtin',
      modules: ['vfio_pci'],
    });
    expect(strictMatch(found, A).candidates).toMatchObject([
      { module: 'vfio_pci', builtin: true, line: 0 },
    ]);
  });

  test('finds what trying every pattern finds', () => {
    const piece = fc.constantFrom('a', 'b', '*', '?', 'ab', '-', '_', '[ab]');
    const pattern = fc.array(piece, { maxLength: 6 }).map((parts) => parts.join(''));
    const key = fc
      .array(fc.constantFrom('a', 'b', '-', '_'), { maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(pattern), key, (patterns, text) => {
        const entries = patterns.map((one, at) => ({
          pattern: one,
          module: `m${at}`,
          line: at + 1,
        }));
        const plain = entries.filter((one) =>
          globMatches(normalizeAlias(one.pattern)!, normalizeAlias(text)!),
        );
        expect(new AliasIndex(entries).match(text)).toEqual(plain);
      }),
    );
  });
});

describe('a binary index', () => {
  test('reads back as it was written', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', '*', '_', ':'), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, text)), (pairs) => {
        const entries = pairs.map(([pattern, module], at) => ({ pattern, module, line: at + 1 }));
        expect(parseBinaryIndex(writeBinaryIndex(entries), 'bin')).toEqual(entries);
      }),
    );
  });

  test('never does anything but read or refuse, whatever its bytes', () => {
    const header = [0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseBinaryIndex(Uint8Array.from([...header, ...bytes]), 'bin');
        } catch (error) {
          expect(error).toMatchObject({ code: 'EINVAL' });
        }
      }),
    );
  });
});

describe('shell patterns', () => {
  test.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['*a*b', 'xxaxxb', true],
    ['', 'a', false],
  ])('%s and %s: %s', (pattern, text, matches) => {
    expect(globMatches(pattern, text)).toBe(matches);
  });

  test('agree with regular expressions', () => {
    const pattern = fc
      .array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 8 })
      .map((parts) => parts.join(''));
    const text = fc
      .array(fc.constantFrom('a', 'b'), { maxLength: 10 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, text, (glob, name) => {
        const regular = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(globMatches(glob, name)).toBe(regular.test(name));
      }),
    );
  });
});

describe("libvirt's best match", () => {
  test('[binding:154 binding:155 binding:156] fewest wildcards win', () => {
    expect(libvirtMatch(`${V}\n`, IX1)).toMatchObject({ module: 'mlx5_vfio_pci', score: 5 });
    expect(libvirtMatch(`${A}\n`, IX1)).toMatchObject({ module: 'vfio_pci', score: 7 });
    expect(libvirtMatch(`${V}\n`, IX2)).toMatchObject({ module: 'vfio_pci', score: 7 });
  });

  test('[binding:157] an index without VFIO aliases has no candidate', () => {
    expect(libvirtMatch(`${V}\n`, '#\nalias pci:v* e1000e\n')).toEqual({ kind: 'none' });
  });

  test('[binding:158] an index that is missing or too large is an error', () => {
    expect(libvirtMatch(`${V}\n`, undefined)).toMatchObject({ kind: 'error' });
    const largest = ' '.repeat(8 * 1024 * 1024);
    expect(libvirtMatch(`${V}\n`, largest)).toEqual({ kind: 'none' });
    expect(libvirtMatch(`${V}\n`, `${largest} `)).toMatchObject({ kind: 'error' });
  });

  test('[binding:159] so is a modalias of another bus, or one that is too long', () => {
    expect(libvirtMatch('usb:v1\n', IX1)).toMatchObject({ kind: 'error' });
    expect(libvirtMatch(V.padEnd(100), IX1)).toMatchObject({ kind: 'match' });
    expect(libvirtMatch(V.padEnd(101), IX1)).toMatchObject({ kind: 'error' });
    expect(libvirtMatch('pci:v1d2\n', IX1)).toMatchObject({ kind: 'error' });
  });

  test('[binding:160] the first line is never seen', () => {
    expect(libvirtMatch(`${V}\n`, `${line('v*d*sv*sd*bc*sc*i*')}\n`)).toEqual({ kind: 'none' });
  });

  test('[binding:161] of two equal scores the first line stays', () => {
    const one = line('v000015B3d0000101Esv*sd*bc*sc*i*', 'one');
    const two = line('v000015B3d0000101Esv*sd*bc*sc*i*', 'two');
    expect(libvirtMatch(`${V}\n`, index(one, two))).toMatchObject({ module: 'one' });
    expect(libvirtMatch(`${V}\n`, index(two, one))).toMatchObject({ module: 'two' });
  });

  test.each([
    ['[binding:162] the star that is added behind the last field', 'v*d*sv*sd*bc02sc00i00*', true],
    ['[binding:163] lower case', 'v000015b3d*sv*sd*bc*sc*i*', false],
    ['[binding:164] a wildcard inside of a field', 'v0000*d*sv*sd*bc*sc*i*', true],
  ])('%s never matches; the strict mode sees %j: %s', (_, fields, inStrict) => {
    const text = index(line(fields));
    expect(libvirtMatch(`${V}\n`, text)).toEqual({ kind: 'none' });
    expect(strict(text, V).candidates.length > 0).toBe(inStrict);
  });

  test('[binding:165] a line without a field is skipped; one without a module borrows text, or is reported', () => {
    const broken = index(line('v*sv*d*', 'odd'), line('v*d*sv*sd*bc*sc*i*', 'good'));
    expect(libvirtMatch(`${V}\n`, broken)).toMatchObject({ module: 'good', line: 3 });
    // Here the first field already has no marker, so that nothing can be read of the line at all.
    const unmarked = index(line('d*v*sv*sd*bc*sc*i*', 'odd'), line('v*d*sv*sd*bc*sc*i*', 'good'));
    expect(libvirtMatch(`${V}\n`, unmarked)).toMatchObject({ module: 'good', line: 3 });
    const borrowed = '#\nalias vfio_pci:v*d*sv*sd*bc*sc*i*\nalias other thing\n';
    expect(libvirtMatch(`${V}\n`, borrowed)).toMatchObject({ module: 'other thing' });
    expect(strict(borrowed, V)).toMatchObject({ candidates: [], malformed: [2] });
  });

  test('[binding:166] a trailing blank is part of the name', () => {
    expect(libvirtMatch(`${V}\n`, index(line('v*d*sv*sd*bc*sc*i*', 'm ')))).toMatchObject({
      module: 'm ',
    });
  });

  test('[binding:167] three wildcards are three wildcards, whichever they are', () => {
    const bySubsystem = line('v000015B3d0000101Esv000015B3sd00000058bc*sc*i*', 'sub');
    const byClass = line('v000015B3d0000101Esv*sd*bc02sc00i*', 'class');
    expect(libvirtMatch(`${V}\n`, index(bySubsystem, byClass))).toMatchObject({
      module: 'sub',
      score: 3,
    });
    expect(libvirtMatch(`${V}\n`, index(byClass, bySubsystem))).toMatchObject({
      module: 'class',
      score: 3,
    });
    expect(strict(index(byClass, bySubsystem), V).tie).toEqual(['class', 'sub']);
  });

  test('a modalias has seven fields, or is none', () => {
    expect(parseModalias(V)).toMatchObject({ v: '000015B3', i: '00' });
    expect(parseModalias('pci:v1')).toBeUndefined();
  });

  test('never throws, whatever the index', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void libvirtMatch(`${V}\n`, `\nalias vfio_pci:${text}`)),
    );
  });
});

describe.skipIf(!existsSync(HOSTS))('indexes of real kernels (shared/hosts is not here)', () => {
  test('the binary index of a recorded machine says what its text says', async () => {
    const sysfs = await readCapture(`${HOSTS}vm-q35-sriov-vfio.tar.gz`);
    const folder = '/lib/modules/7.2.12+deb13-amd64';
    const text = parseModulesAlias(
      new TextDecoder().decode((await sysfs.read(`${folder}/modules.alias`)) as Uint8Array),
    );
    const binary = parseBinaryIndex(
      (await sysfs.read(`${folder}/modules.alias.bin`)) as Uint8Array,
      'bin',
    );
    const key = (one: { pattern: string; module: string }) =>
      `${normalizeAlias(one.pattern)} ${one.module}`;
    expect(new Set(binary.map(key))).toEqual(new Set(text.map(key)));
    const whole = (await sysfs.read(`${folder}/modules.alias.bin`)) as Uint8Array;
    for (const share of [0.01, 0.3, 0.7])
      expect(() =>
        parseBinaryIndex(whole.subarray(0, Math.floor(whole.length * share)), 'bin'),
      ).toThrow('bin: ');
    expect(() => parseBinaryIndex(new Uint8Array(40), 'bin')).toThrow('no module index');
  });

  test('of some 28,000 aliases one is for VFIO, and look-ups agree with trying every pattern', () => {
    const text = gunzipSync(readFileSync(`${HOSTS}modules.alias-7.2.12-amd64.gz`)).toString();
    const entries = parseModulesAlias(text);
    expect(entries).toHaveLength(28074);
    const found = new AliasIndex(entries);
    expect(found.modules(V.replace('pci:', 'vfio_pci:'))).toEqual(['vfio_pci']);
    for (const key of [A, V, 'pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00'])
      expect(found.match(key)).toEqual(
        entries.filter(({ pattern }) =>
          globMatches(normalizeAlias(pattern) ?? 'x', normalizeAlias(key)!),
        ),
      );
  });
});
