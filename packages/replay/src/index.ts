import 'reflect-metadata';

export { RecordedMachine } from './machine/recorded-machine.js';
export { Replayer } from './play/replayer.js';
export type { Difference, Mismatch } from './result/difference.js';
export { EXPLANATIONS, type Explanation } from './result/explanations.js';
export { classCounts, renderDifference } from './result/report.js';
export { type Count, played, Tally } from './result/tally.js';
export { describeOperation, describeReturn } from './trace/describe.js';
export {
  OPERATION_CLASSES,
  type OperationClass,
  operationClass,
  type Side,
} from './trace/operation-class.js';
export { readTrace } from './trace/read-trace.js';
export type * from './trace/trace.js';
