import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS, captureIo, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-ap-'));

async function ap(...argv: readonly string[]) {
  const io = captureIo();
  const status = await run(['ap', ...argv], COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err.join('\n') };
}

const docs = (name: string) =>
  readFileSync(new URL(`../../../docs/ap/${name}`, import.meta.url), 'utf8');

describe('vfiokit ap', () => {
  test('run tells what every step did', async () => {
    const { status, out } = await ap('run', 's390x-lpar');
    expect(status).toBe(0);
    expect(out).toMatch(/^ {2}\d+\. VMM: start web-1 with web and boot its Linux +ok$/m);
    expect(out).toMatch(/11 steps, all as expected$/);
  });

  test('run --compare says what the documentation says', async () => {
    const { status, out } = await ap('run', 'comparison', '--compare');
    expect(status).toBe(0);
    expect(docs('comparison.md')).toContain(out);
  });

  test('show draws what the documentation shows, and writes it as SVG', async () => {
    expect(docs('picture.md')).toContain((await ap('show')).out);
    const svg = join(folder, 'picture.svg');
    const { status, out } = await ap('show', 's390x-lpar', '--svg', svg);
    expect([status, out]).toEqual([0, '']);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /);
  });

  test('life-cycle is the documentation', async () => {
    expect((await ap('life-cycle')).out).toBe(docs('life-cycle.md').trimEnd());
    const { out } = await ap('life-cycle', '--design', 'matrix-bus-strict', '--json');
    expect(JSON.parse(out)['matrix-bus-strict'][0]).toMatchObject({ outcome: 'ok' });
  });

  test('demo shows the s390x scene, its picture, and the dispute', async () => {
    const { status, out } = await ap('demo');
    expect(status).toBe(0);
    for (const part of ['Two guests with crypto', 'mdev web', 'matrix-bus-forced'])
      expect(out).toContain(part);
  });

  test('takes steps one by one, and keeps them in a session', async () => {
    const session = join(folder, 'lab.yaml');
    const onSession = (...argv: readonly string[]) => {
      const dashes = argv.indexOf('--');
      const at = dashes === -1 ? argv.length : dashes;
      return ap(...argv.slice(0, at), '--session', session, ...argv.slice(at));
    };
    expect((await onSession('apmask', '--', '-5,-6')).status).toBe(0);
    expect((await onSession('create', 'm1')).status).toBe(0);
    expect((await onSession('assign', 'matrix=m1', 'adapters=5,6', 'domains=4')).status).toBe(0);
    const kept = readFileSync(session, 'utf8');
    const refused = await onSession('apmask', '--', '+5');
    expect(refused.status).toBe(1);
    expect(refused.out).toMatch(/EBUSY\n {7}05\.0004: assigned to mediated device m1/);
    expect(readFileSync(session, 'utf8')).toBe(kept);
    expect((await onSession('start', 'guest=g1', 'matrix=m1', 'boot=yes')).out).toMatch(
      /g1 +gets \{05,06\}\.0004/,
    );
    expect((await ap('show', session)).out).toContain('KVM g1');
  });

  test('is one document with --json', async () => {
    expect(JSON.parse((await ap('run', 'veto', '--compare', '--json')).out)).toMatchObject({
      passed: true,
    });
    expect(JSON.parse((await ap('show', '--json')).out).matrices[0]).toMatchObject({
      id: 'web',
      guest: 'web-1',
    });
    expect(JSON.parse((await ap('list', '--json')).out).designs['vfio-ap']).toMatch(/veto/);
    expect(JSON.parse((await ap('create', 'm1', '--json')).out)).toMatchObject({ outcome: 'ok' });
    expect(JSON.parse((await ap('demo', '--json')).out).comparison).toHaveLength(3);
  });

  test('exits with 1 when something is otherwise than the scenario says', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'steps:\n  - create: m1\n    expect: EBUSY\n');
    const { status, out } = await ap('run', file);
    expect(status).toBe(1);
    expect(out).toContain('expected EBUSY, got ok');
  });

  test.each([
    [['run'], 2, /needs a scenario/],
    [['explode'], 2, /ap explode: no such thing/],
    [['run', 'nothing.yaml'], 1, /nothing\.yaml: no such file/],
    [['show', '--design', 'other'], 1, /other: no such design; there are vfio-ap/],
    [['list', 'more'], 2, /ap list: one argument too many: more/],
    [['demo', '--svg', 'x.svg'], 2, /ap demo: takes no --svg/],
    [['run', 'veto', '--session', 'x.yaml'], 2, /ap run: takes no --session/],
    [['create', 'm1', '--compare'], 2, /ap create: takes no --compare/],
    [['show', '--svg', '.'], 1, /^\.: is a directory; name a file/],
    [['create', 'm1', '--session', '/nowhere/x.yaml'], 1, /^\/nowhere\/x\.yaml: no such file/],
    [['wait', 'long'], 1, /steps\.0\.wait: no number/],
  ])('refuses %j', async (argv, status, message) => {
    const result = await ap(...argv);
    expect(result.status).toBe(status);
    expect(result.err).toMatch(message);
  });

  test('says where a scenario is broken', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'steps:\n  - crate: m1\n');
    expect((await ap('run', file)).err).toMatch(/broken\.yaml:2:5: crate: no such step/);
    expect(existsSync(join(folder, 'unwritten.yaml'))).toBe(false);
  });
});
