import {
  PCI_COMMAND,
  PCI_COMMAND_SERR,
  PCI_ERR_CAP,
  PCI_ERR_COR_MASK,
  PCI_ERR_COR_STATUS,
  PCI_ERR_HEADER_LOG,
  PCI_ERR_UNCOR_MASK,
  PCI_ERR_UNCOR_SEVER,
  PCI_ERR_UNCOR_STATUS,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_CERE,
  PCI_EXP_DEVCTL_FERE,
  PCI_EXP_DEVCTL_NFERE,
  PCI_EXP_DEVSTA,
  PCI_EXP_DEVSTA_CED,
  PCI_EXP_DEVSTA_FED,
  PCI_EXP_DEVSTA_NFED,
} from '../regs/index.js';
import type { ConfigSpace } from './config-space.js';

/** How bad an error is; also the name of the message that tells the root port. */
export type ErrorSeverity = 'correctable' | 'nonfatal' | 'fatal';

/** An error that a function has detected. */
export interface ErrorReport {
  /** Whether `status` is a bit of the correctable or of the uncorrectable status register. */
  readonly correctable: boolean;
  /** One bit, such as 0x00100000 (Unsupported Request). */
  readonly status: number;
  /** Four dwords of the packet that did it, for an uncorrectable error. */
  readonly header?: readonly [number, number, number, number];
}

/** Where the registers of error reporting are; 0 for a capability that the function does not have. */
export interface ErrorRegisters {
  readonly express: number;
  readonly advanced: number;
}

/**
 * Logs an error and says which message goes to the root port, if any (PCIe 6.0 6.2).
 *
 * Without the AER capability an uncorrectable error is nonfatal, and no bit of it is remembered but Device Status.
 */
export function reportError(
  config: ConfigSpace,
  { express, advanced }: ErrorRegisters,
  report: ErrorReport,
): ErrorSeverity | undefined {
  const severity = severityOf(config, advanced, report);
  if (express !== 0)
    config.poke16(
      express + PCI_EXP_DEVSTA,
      config.peek16(express + PCI_EXP_DEVSTA) | DETECTED[severity],
    );
  if (advanced !== 0 && !logged(config, advanced, report)) return undefined;
  return enabled(config, express, severity) ? severity : undefined;
}

const DETECTED = {
  correctable: PCI_EXP_DEVSTA_CED,
  nonfatal: PCI_EXP_DEVSTA_NFED,
  fatal: PCI_EXP_DEVSTA_FED,
} as const;

const ENABLED = {
  correctable: PCI_EXP_DEVCTL_CERE,
  nonfatal: PCI_EXP_DEVCTL_NFERE,
  fatal: PCI_EXP_DEVCTL_FERE,
} as const;

function severityOf(config: ConfigSpace, advanced: number, report: ErrorReport): ErrorSeverity {
  if (report.correctable) return 'correctable';
  if (advanced === 0) return 'nonfatal';
  const fatal = (config.peek32(advanced + PCI_ERR_UNCOR_SEVER) & report.status) !== 0;
  return fatal ? 'fatal' : 'nonfatal';
}

/** Sets the status bit, and keeps the header of the first error; false if the error is masked. */
function logged(config: ConfigSpace, advanced: number, report: ErrorReport): boolean {
  const [statusAt, maskAt] = report.correctable
    ? [PCI_ERR_COR_STATUS, PCI_ERR_COR_MASK]
    : [PCI_ERR_UNCOR_STATUS, PCI_ERR_UNCOR_MASK];
  const status = config.peek32(advanced + statusAt);
  config.poke32(advanced + statusAt, status | report.status);
  if ((config.peek32(advanced + maskAt) & report.status) !== 0) return false;
  if (!report.correctable && status === 0) {
    const first = 31 - Math.clz32(report.status);
    config.poke32(advanced + PCI_ERR_CAP, (config.peek32(advanced + PCI_ERR_CAP) & ~0x1f) | first);
    for (const [index, dword] of (report.header ?? [0, 0, 0, 0]).entries())
      config.poke32(advanced + PCI_ERR_HEADER_LOG + 4 * index, dword);
  }
  return true;
}

function enabled(config: ConfigSpace, express: number, severity: ErrorSeverity): boolean {
  const serr = (config.peek16(PCI_COMMAND) & PCI_COMMAND_SERR) !== 0;
  if (severity !== 'correctable' && serr) return true;
  return express !== 0 && (config.peek16(express + PCI_EXP_DEVCTL) & ENABLED[severity]) !== 0;
}
