import 'reflect-metadata';

export { describeOperation, describeReturn } from './describe.js';
export type { Difference, Mismatch } from './difference.js';
export { EXPLANATIONS, type Explanation } from './explanations.js';
export {
  OPERATION_CLASSES,
  type OperationClass,
  operationClass,
  type Side,
} from './operation-class.js';
export { readTrace } from './read-trace.js';
export { RecordedMachine } from './recorded-machine.js';
export { Replayer } from './replayer.js';
export { classCounts, renderDifference } from './report.js';
export { type Count, played, Tally } from './tally.js';
export type * from './trace.js';
