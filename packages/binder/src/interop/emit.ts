import { VfioError } from '@vfiokit/uapi';
import type { Decision } from '../decision/decision.js';
import { nearest } from '../facts/nearest.js';
import { emitCdi } from './cdi.js';
import { emitDriverctl } from './driverctl.js';
import { emitKubevirt } from './kubevirt.js';
import { emitLibvirt } from './libvirt-xml.js';

/** Other tools' words for what was decided, by the name that `--emit` takes. */
const EMITTERS: Readonly<Record<string, (decisions: readonly Decision[]) => string>> = {
  libvirt: emitLibvirt,
  driverctl: emitDriverctl,
  cdi: emitCdi,
  kubevirt: emitKubevirt,
};

/** What {@link emit} knows. */
export const EMITTED_TOOLS: readonly string[] = Object.keys(EMITTERS);

/**
 * Decisions in the words of another tool; only those that were not refused.
 *
 * @throws VfioError `EINVAL` for a tool that is not known.
 */
export function emit(tool: string, decisions: readonly Decision[]): string {
  const emitter = Object.hasOwn(EMITTERS, tool) ? EMITTERS[tool] : undefined;
  if (emitter === undefined) {
    const near = nearest(tool, Object.keys(EMITTERS));
    throw new VfioError(
      'EINVAL',
      `${tool}: no such format; there is ${(near.length > 0 ? near : Object.keys(EMITTERS)).join(', ')}`,
    );
  }
  return emitter(decisions.filter(({ outcome }) => outcome !== 'refused'));
}
