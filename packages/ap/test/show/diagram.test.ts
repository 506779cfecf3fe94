import {
  ApMask,
  abbreviate,
  abbreviateMatrix,
  type DiagramNode,
  drawAscii,
  drawSvg,
  layOut,
  worldDiagram,
} from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DESIGNS, play } from '../support/scenario.js';

const node = (title: string, ...children: DiagramNode[]): DiagramNode => ({
  title,
  lines: [`${title}!`],
  edge: `to ${title}`,
  children,
});

describe('a picture', () => {
  it('has boxes as wide as what hangs below them, and straight lines', () => {
    expect(drawAscii(layOut(node('top', node('a', node('c')), node('b'))))).toBe(
      [
        '+- top ------------+',
        '| top!             |',
        '+--+----------+----+',
        '   | to a     | to b',
        '   v          v',
        '+- a ---+  +- b ---+',
        '| a!    |  | b!    |',
        '+--+----+  +-------+',
        '   | to c',
        '   v',
        '+- c ---+',
        '| c!    |',
        '+-------+',
        '',
      ].join('\n'),
    );
  });

  it('never has two boxes in one place', () => {
    const { tree } = fc.letrec<{ tree: DiagramNode }>((tie) => ({
      tree: fc.record({
        title: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }),
        lines: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { maxLength: 3 }),
        edge: fc.string({ unit: 'grapheme-ascii', maxLength: 15 }),
        children: fc.oneof(
          { depthSize: 'small' },
          fc.constant([]),
          fc.array(tie('tree'), { maxLength: 3 }),
        ),
      }),
    }));
    fc.assert(
      fc.property(tree, (root) => {
        const { boxes, width, height } = layOut(root);
        const taken = new Set<number>();
        for (const box of boxes) {
          expect(box.x + box.width).toBeLessThanOrEqual(width);
          expect(box.y + box.height).toBeLessThanOrEqual(height);
          for (let y = box.y; y < box.y + box.height; y++)
            for (let x = box.x; x < box.x + box.width; x++) {
              expect(taken.has(y * width + x)).toBe(false);
              taken.add(y * width + x);
            }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is an SVG document, whatever is written in it', () => {
    const svg = drawSvg(layOut(node('<&>')), 'a < b');
    expect(svg).toContain('&lt;&amp;&gt;!');
    expect(svg).toContain('<title>a &lt; b</title>');
    expect(svg.match(/<rect /g)).toHaveLength(1);
  });

  it.each(DESIGNS)('of $name shows who has what', async (design) => {
    const run = await play(
      `
- free: {adapters: 5}
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4, control_domains: 4}
- start: {guest: g1, matrix: m1, boot: yes}
- start: {guest: g2}
- standby: 6
`,
      design,
    );
    const text = drawAscii(layOut(worldDiagram(run.world)));
    for (const part of [
      '05 CEX7 cca configured',
      '06 CEX7 cca standby',
      'assigned 05.0004',
      'KVM g1',
      'KVM g2',
      'CRYCB format 2: nothing',
      'queues 05.0004',
    ])
      expect(text).toContain(part);
  });

  it('of a large machine stays readable', async () => {
    const all = Array.from({ length: 256 }, (_, n) => n);
    const world = DESIGNS[0]!.boot({ hardware: { adapters: all, domains: all } });
    const { width } = layOut(worldDiagram(world));
    expect(width).toBeLessThan(280);
  });
});

describe('names of queues', () => {
  it.each([
    [[], ''],
    [[0x0504], '05.0004'],
    [[0x0504, 0x0547], '05.{0004,0047}'],
    [[0x0504, 0x0604, 0x0547, 0x0647], '{05,06}.{0004,0047}'],
    [[0x0504, 0x0647], '05.0004 06.0047'],
    [[0x0501, 0x0502, 0x0503, 0x0510], '05.{0001-0003,0010}'],
  ])('%j are %s', (apqns, text) => {
    expect(abbreviate(apqns)).toBe(text);
  });

  it('tell half a product from a whole one', () => {
    const mask = (...ids: number[]) => ApMask.of(...ids);
    expect(abbreviateMatrix({ apm: mask(5), aqm: ApMask.NONE })).toBe('05.');
    expect(abbreviateMatrix({ apm: ApMask.NONE, aqm: mask(4, 5) })).toBe('.{0004,0005}');
    expect(abbreviateMatrix({ apm: ApMask.NONE, aqm: ApMask.NONE })).toBe('nothing');
    expect(abbreviateMatrix({ apm: ApMask.ALL, aqm: mask(4) })).toBe('{00-ff}.0004');
  });

  it('are not listed without end', () => {
    const apm = ApMask.from(Array.from({ length: 100 }, (_, n) => n * 2));
    expect(abbreviateMatrix({ apm, aqm: ApMask.of(4) })).toBe('{00,02,04,06,08,0a,+94 more}.0004');
  });
});
