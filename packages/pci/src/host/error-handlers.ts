import type { ErrorSeverity } from '../silicon/advanced-error-reporting.js';

/** What a bound driver wants to know of resets and errors (struct pci_error_handlers). */
export interface PciErrorHandlers {
  /** A reset is about to happen. */
  prepare?(): void;
  /** It has happened, and configuration space is restored. */
  done?(): void;
  /** The function reported an uncorrectable error. */
  errorDetected?(severity: Exclude<ErrorSeverity, 'correctable'>): void;
}
