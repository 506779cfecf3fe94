import { VfioError } from '@vfiokit/uapi';
import { injectAll, injectable } from 'tsyringe';
import type { ApDesign } from '../design/ap-design.js';
import { AP_DESIGNS } from '../tokens.js';
import { ScenarioRun } from './run.js';
import type { Scenario } from './scenario.js';

/** Plays scenarios on the designs that are registered. */
@injectable()
export class ScenarioPlayer {
  constructor(@injectAll(AP_DESIGNS) readonly designs: readonly ApDesign[]) {}

  /** The design of a name; the first one without. @throws VfioError `ENOENT`. */
  design(name?: string): ApDesign {
    const design =
      name === undefined ? this.designs[0] : this.designs.find((one) => one.name === name);
    if (design === undefined)
      throw new VfioError(
        'ENOENT',
        `${name ?? 'designs'}: no such design; there are ${this.designs.map((one) => one.name).join(', ')}`,
      );
    return design;
  }

  /** Plays a scenario on one design. */
  play(scenario: Scenario, design: ApDesign = this.design()): Promise<ScenarioRun> {
    return new ScenarioRun(design, scenario).play();
  }

  /** Plays it on every design. */
  async compare(scenario: Scenario): Promise<readonly ScenarioRun[]> {
    const runs: ScenarioRun[] = [];
    for (const design of this.designs) runs.push(await this.play(scenario, design));
    return runs;
  }
}
