import { type ApMatrix, EMPTY_MATRIX } from '../arch/matrix.js';
import { CRYCB_FORMAT_BITS, CRYCB_SIZE, type CrycbFormat, readMasks, writeMasks } from './crycb.js';
import type { Kvm } from './kvm.js';

/** What a nested guest's SIE block asks for. */
export interface NestedRequest {
  /** CRYCBD: a 31-bit address in the outer guest's storage, and the format in the low two bits. */
  readonly designation: number;
  /** Whether the nested SIE block switches AP interpretation on (ECA.APIE). */
  readonly apie: boolean;
  /** Reads the outer guest's storage; `undefined` where nothing is mapped. */
  readonly read: (address: number, length: number) => Uint8Array | undefined;
}

/** What the outer guest has. */
export interface OuterGuest {
  readonly crycb: Uint8Array;
  readonly format: CrycbFormat;
  readonly apie: boolean;
}

/** The reasons why a nested guest cannot be entered: codes of the validity interception. */
export const CRYCB_VALIDITY = {
  UNREADABLE: 0x0035,
  NO_ADDRESS: 0x0039,
  CROSSES_PAGE: 0x003c,
  FORMAT: 0x0022,
} as const;

/** The shadow that KVM builds: a control block to run the nested guest with, or nothing to shadow, or no entry. */
export type NestedShadow =
  | { readonly kind: 'shadow'; readonly crycb: Uint8Array; readonly format: CrycbFormat }
  | { readonly kind: 'none' }
  | { readonly kind: 'validity'; readonly code: number };

const PAGE = 4096;

/** How many bytes of a format's block must lie in one page. */
const NESTED_BLOCK_SIZE: Readonly<Record<CrycbFormat, number>> = { 0: 32, 1: 128, 2: 256 };

/**
 * Builds the shadow crypto control block of a nested guest: what it asked for, limited in software by what the outer
 * guest has (vsie.c: shadow_crycb, setup_apcb). Key wrapping is not modelled.
 */
export function shadowCrycb(outer: OuterGuest, nested: NestedRequest): NestedShadow {
  if (!outer.apie || !nested.apie) return { kind: 'none' };
  const address = nested.designation & 0x7fff_fff8;
  if (address === 0) return { kind: 'validity', code: CRYCB_VALIDITY.NO_ADDRESS };
  const format = ([0, 1, 2] as const).find(
    (candidate) => CRYCB_FORMAT_BITS[candidate] === (nested.designation & 3),
  );
  if (format === undefined) return { kind: 'validity', code: CRYCB_VALIDITY.FORMAT };
  const size = NESTED_BLOCK_SIZE[format];
  // The kernel compares the pages of the first byte and of the one behind the block.
  if (Math.floor(address / PAGE) !== Math.floor((address + size) / PAGE))
    return { kind: 'validity', code: CRYCB_VALIDITY.CROSSES_PAGE };
  const tooWide = format === 2 ? outer.format !== 2 : format === 1 && outer.format === 0;
  if (tooWide) return { kind: 'validity', code: CRYCB_VALIDITY.FORMAT };
  const block = nested.read(address, size);
  if (block === undefined) return { kind: 'validity', code: CRYCB_VALIDITY.UNREADABLE };

  const wanted = readMasks(block, format);
  const given = readMasks(outer.crycb, outer.format);
  const crycb = new Uint8Array(CRYCB_SIZE);
  // A short request under a long block is widened: the shadow then has the outer guest's format.
  const shadowFormat = outer.format === 2 ? 2 : format;
  writeMasks(crycb, shadowFormat, {
    apm: wanted.apm.and(given.apm),
    aqm: wanted.aqm.and(given.aqm),
    adm: wanted.adm.and(given.adm),
  });
  return { kind: 'shadow', crycb, format: shadowFormat };
}

/** The masks of a shadow; nothing where there is none. */
export function shadowMasks(shadow: NestedShadow): ApMatrix {
  return shadow.kind === 'shadow' ? readMasks(shadow.crycb, shadow.format) : EMPTY_MATRIX;
}

/** A guest of a guest. Its shadow is kept until the outer guest's masks change. */
export class NestedGuest {
  #shadow: NestedShadow | undefined;
  #madeAt = -1;

  constructor(
    private readonly outer: Kvm,
    private readonly request: NestedRequest,
  ) {}

  /** What SIE runs the nested guest with; made anew if it is not good any more. */
  get shadow(): NestedShadow {
    if (this.#shadow === undefined || this.#madeAt !== this.outer.updates) {
      this.#shadow = shadowCrycb(this.outer, this.request);
      this.#madeAt = this.outer.updates;
    }
    return this.#shadow;
  }
}
