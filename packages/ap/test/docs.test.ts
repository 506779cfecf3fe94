import {
  drawAscii,
  drawSvg,
  layOut,
  lifeCycleDocument,
  parseScenario,
  reportComparison,
  reportRun,
  ScenarioRun,
  shippedScenario,
  worldDiagram,
} from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { DESIGNS } from './support/scenario.js';

// What the documentation shows is what the model says now. `npx vitest run packages/ap/test/docs.test.ts -u` writes it anew.

const DOCS = '../../../docs/ap';

const runOn = (name: string) =>
  Promise.all(
    DESIGNS.map((design) =>
      new ScenarioRun(design, parseScenario(shippedScenario(name), `${name}.yaml`)).play(),
    ),
  );

const fenced = (lines: readonly string[]) => ['```text', ...lines, '```', ''].join('\n');

describe('the documentation', () => {
  it('has the life cycle of every design', async () => {
    await expect(await lifeCycleDocument(DESIGNS)).toMatchFileSnapshot(`${DOCS}/life-cycle.md`);
  });

  it('has what each design allows, side by side', async () => {
    const parts = ['# What each design allows', ''];
    for (const name of ['comparison', 'veto', 'hot-plug'])
      parts.push(
        `## ${name}`,
        '',
        `Made by \`vfiokit ap run ${name} --compare\`.`,
        '',
        fenced(reportComparison(await runOn(name))),
      );
    const [stolen] = await runOn('stolen-queue');
    parts.push(
      '## stolen-queue',
      '',
      'Made by `vfiokit ap run stolen-queue`. The lines with an exclamation mark are what must never be.',
      '',
      fenced(reportRun(stolen!)),
    );
    await expect(parts.join('\n')).toMatchFileSnapshot(`${DOCS}/comparison.md`);
  });

  it('has the picture of every design', async () => {
    const parts = ['# How the parts tie together', ''];
    for (const run of await runOn('s390x-lpar')) {
      const { name, title } = run.design;
      const layout = layOut(worldDiagram(run.world));
      await expect(drawSvg(layout, name)).toMatchFileSnapshot(`${DOCS}/${name}.svg`);
      parts.push(
        `## ${name}`,
        '',
        `*${title}*`,
        '',
        `Made by \`vfiokit ap show s390x-lpar --design ${name}\`; [as SVG](${name}.svg).`,
        '',
        fenced(drawAscii(layout).trimEnd().split('\n')),
      );
    }
    await expect(parts.join('\n')).toMatchFileSnapshot(`${DOCS}/picture.md`);
  });
});
