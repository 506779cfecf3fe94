import {
  type ApDesign,
  MatrixBusDesign,
  parseScenario,
  ScenarioRun,
  VfioApDesign,
} from '@vfiokit/ap';

export const DESIGNS: readonly ApDesign[] = [
  new VfioApDesign(),
  new MatrixBusDesign('strict'),
  new MatrixBusDesign('forced'),
];

/** Plays steps, written as YAML, on the checklist's machine. */
export async function play(steps: string, design: ApDesign = DESIGNS[0]!): Promise<ScenarioRun> {
  const scenario = parseScenario(`steps:\n${steps.replace(/^\n+/, '')}\n`, 'test.yaml');
  return new ScenarioRun(design, scenario).play();
}
