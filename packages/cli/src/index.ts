export {
  type Command,
  command,
  EXIT_NO,
  EXIT_OK,
  EXIT_USAGE,
  type Invocation,
  JSON_OPTION,
  type MachineChoice,
  UsageError,
} from './command.js';
export { COMMANDS } from './composition.js';
export { type CapturedIo, captureIo, type Io, type Palette, processIo } from './io.js';
export * from './output.js';
export { type CommandTable, run } from './run.js';
