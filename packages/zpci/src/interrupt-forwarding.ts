import { EINVAL, EIO, ENOMEM } from '@vfiokit/uapi';
import type { KvmS390ZpciOp } from './zpci-op.js';

const PAGE_SIZE = 4096n;
const SUMMARY_ALIGNMENT = 8n;

/** Guest memory, as far as interrupts are delivered into it. */
export interface GuestPages {
  /** The bytes of a page; undefined where the guest has no memory. */
  page(address: bigint): Uint8Array | undefined;
  /** Pages that may be locked for the guest at a time; any number without it. */
  readonly lockedPageLimit?: number;
}

/** The guest's side of a function's interrupts: a bit each, and one that says that there is something (struct zpci_fib). */
export interface ForwardedInterrupts {
  /** Guest address of the bit vector. */
  readonly ibv: bigint;
  readonly count: number;
  /** Guest address of the summary bit's bytes, 0 for none. */
  readonly sb: bigint;
  readonly sbo: number;
  readonly isc: number;
  /** Through the host rather than into the guest. */
  readonly viaHost: boolean;
}

/**
 * Checks what a guest asks for and finds its pages (kvm/pci.c: kvm_s390_pci_aif_enable).
 *
 * @param maxMsi how many interrupts the function has.
 * @returns `-EINVAL` for a vector over two pages or a misaligned summary address, `-EIO` for a page that can't be pinned,
 *   `-ENOMEM` if that is more than the guest may lock.
 */
export function prepareForwarding(
  { ibv, sb, sbo, isc, noi }: KvmS390ZpciOp,
  maxMsi: number,
  guest: GuestPages,
  viaHost: boolean,
): ForwardedInterrupts | number {
  const count = Math.min(noi, maxMsi);
  const bytes = BigInt(Math.ceil(count / 8));
  if ((ibv % PAGE_SIZE) + bytes > PAGE_SIZE) return -EINVAL;
  if (sb % SUMMARY_ALIGNMENT !== 0n) return -EINVAL;
  if (guest.page(ibv) === undefined) return -EIO;
  if (sb !== 0n && guest.page(sb) === undefined) return -EIO;
  const pages = sb === 0n ? 1 : 2;
  if (pages > (guest.lockedPageLimit ?? pages)) return -ENOMEM;
  return { ibv, count, sb, sbo, isc, viaHost };
}

/**
 * An interrupt of the function arrives: its bit is set, and the summary bit with it. Bits count from the left, as
 * everywhere on the machine.
 *
 * @returns the interruption subclass to alert; undefined for a vector that was not forwarded.
 */
export function deliver(
  forwarded: ForwardedInterrupts,
  guest: GuestPages,
  vector: number,
): number | undefined {
  if (vector >= forwarded.count) return undefined;
  setBit(guest, forwarded.ibv, vector);
  if (forwarded.sb !== 0n) setBit(guest, forwarded.sb, forwarded.sbo);
  return forwarded.isc;
}

function setBit(guest: GuestPages, address: bigint, bit: number): void {
  const at = address + BigInt(bit >>> 3);
  const page = guest.page(at);
  const offset = Number(at % PAGE_SIZE);
  if (page !== undefined) page[offset] = page[offset]! | (0x80 >>> (bit & 7));
}
