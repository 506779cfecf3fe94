import { EACCES, EINVAL } from '@vfiokit/uapi';

/** The shared secret by which the opener of a PF and the openers of its VFs vouch for each other (vfio_pci_core.c: vf_token). */
export class VfToken {
  /** 16 bytes, in the order in which the text form reads. */
  uuid: Uint8Array;
  /** Open VFs. */
  users = 0;

  /** @param uuid the first token, which nobody knows yet. */
  constructor(uuid: Uint8Array) {
    this.uuid = uuid;
  }

  matches(token: Uint8Array): boolean {
    return token.length === 16 && token.every((byte, i) => byte === this.uuid[i]);
  }
}

/** What decides whether a token is needed. */
export interface TokenParties {
  /** The device is a VF. */
  readonly isVirtfn: boolean;
  /** The token of the VF's PF, if that PF's VFs were enabled through us. */
  readonly pfToken: VfToken | undefined;
  /** The device's own token, if it is a PF. */
  readonly ownToken: VfToken | undefined;
}

/**
 * Checks the token of one who opens a device (vfio_pci_core.c: vfio_pci_validate_vf_token): 0, `-EACCES` for a missing or
 * wrong one, `-EINVAL` for one that has no business here. An unused PF takes a given token over.
 */
export function validateToken(
  { isVirtfn, pfToken, ownToken }: TokenParties,
  token: Uint8Array | undefined,
): number {
  if (isVirtfn) {
    if (pfToken === undefined) return token === undefined ? 0 : -EINVAL;
    return token !== undefined && pfToken.matches(token) ? 0 : -EACCES;
  }
  if (ownToken === undefined) return token === undefined ? 0 : -EINVAL;
  if (ownToken.users > 0) return token !== undefined && ownToken.matches(token) ? 0 : -EACCES;
  if (token !== undefined) ownToken.uuid = token.slice();
  return 0;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const UUID_LENGTH = 36;

/** A UUID's 16 bytes; `undefined` if the text is none. */
export function parseUuid(text: string): Uint8Array | undefined {
  if (!UUID.test(text)) return undefined;
  const digits = text.replaceAll('-', '');
  return Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** What the text of VFIO_GROUP_GET_DEVICE_FD says: not this device, or this one with or without a token. */
export type NameMatch = 'other' | 'malformed' | { readonly token: Uint8Array | undefined };

/**
 * Reads `NAME[ vf_token=UUID]` (vfio_pci_core.c: vfio_pci_core_match). Text behind the name that is no option is malformed; a name
 * with something glued to it is another name.
 */
export function matchName(text: string, name: string): NameMatch {
  if (!text.startsWith(name)) return 'other';
  let rest = text.slice(name.length);
  if (rest !== '' && !rest.startsWith(' ')) return 'other';
  let token: Uint8Array | undefined;
  for (rest = skipSpaces(rest); rest !== ''; rest = skipSpaces(rest)) {
    if (token !== undefined || !rest.startsWith('vf_token=')) return 'malformed';
    const value = rest.slice('vf_token='.length);
    token = parseUuid(value.slice(0, UUID_LENGTH));
    rest = value.slice(UUID_LENGTH);
    if (token === undefined) return 'malformed';
  }
  return { token };
}

/** Spaces only: a tab is an option that nobody knows. */
function skipSpaces(text: string): string {
  return text.replace(/^ +/, '');
}
