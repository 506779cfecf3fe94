import type { GuestInterruptArea } from '../arch/instructions.js';

/**
 * A guest's interruption state area (GISA) with its alert mask: where adapters make interruption subclasses pending
 * without leaving the guest.
 */
export class Gisa implements GuestInterruptArea {
  readonly #references = new Uint16Array(8);
  /** Wakes the guest. */
  onPending: (() => void) | undefined;
  #pending = 0;
  #alerts = 0;

  /** The subclasses that are pending, as a bit each (bit 0 the most significant of eight). */
  get pending(): number {
    return this.#pending;
  }

  /** How often an idle guest was woken. */
  get alerts(): number {
    return this.#alerts;
  }

  /** How many registrations a subclass has. */
  references(isc: number): number {
    return this.#references[isc] ?? 0;
  }

  /** Makes a subclass one of which the host is alerted (kvm_s390_gisc_register); false above 7. */
  register(isc: number): boolean {
    if (isc > 7) return false;
    this.#references[isc]! += 1;
    return true;
  }

  /** Takes one registration back (kvm_s390_gisc_unregister); false if there is none. */
  unregister(isc: number): boolean {
    if (this.references(isc) === 0) return false;
    this.#references[isc]! -= 1;
    return true;
  }

  setPending(isc: number): void {
    this.#pending |= 0x80 >>> isc;
    if (this.references(isc) > 0) this.#alerts += 1;
    this.onPending?.();
  }

  /** The guest takes what is pending. */
  take(): number {
    const pending = this.#pending;
    this.#pending = 0;
    return pending;
  }
}
