import { strictMatch } from '../modules/best-match.js';
import { findKnown } from './driver-knowledge.js';
import { refuse, type SelectionPolicy } from './policy.js';
import { candidateFor, isRejection } from './resolve-driver.js';

/** P6: what a person names, and nothing else. Whether it is a VFIO driver is checked as far as anybody can know. */
export const USER_OVERRIDE: SelectionPolicy = {
  name: 'user-override',
  summary: 'the driver that a person names, no other',
  choose(input) {
    const { driver } = input.request;
    if (driver === undefined)
      return refuse('user-override: no driver is named; say which with --driver');
    const one = candidateFor(driver, 'a person named it', input);
    if (isRejection(one)) return refuse(`user-override: ${one.reason}`, [one]);
    const vfio = providesVfio(one.driver, input);
    if (vfio === false) {
      const reason = `${one.driver} is known to provide no VFIO device`;
      return refuse(`user-override: ${reason}`, [{ name: driver, code: 'not-vfio', reason }]);
    }
    const modalias = input.device.modalias.value;
    const advertised =
      input.index === undefined || modalias === undefined
        ? undefined
        : strictMatch(input.index, modalias).candidates.some(({ module }) => module === one.module);
    const warnings = [
      ...(vfio === undefined
        ? [`whether ${driver} provides a VFIO device shows only after it is bound`]
        : []),
      ...(advertised === false && findKnown(input.knowledge, driver)?.ids.length !== 0
        ? [`${driver} does not advertise the device; its own probe decides`]
        : []),
    ];
    return {
      candidates: [one],
      rejections: [],
      rule: `user-override: a person named ${driver}`,
      style: 'first',
      warnings,
    };
  },
};

/**
 * Whether a driver provides VFIO devices: it does if it is known to, or if some device bound to it has one; it does not
 * if devices bound to it have none. undefined if nothing is bound to it.
 */
function providesVfio(
  driver: string | undefined,
  { host, knowledge }: Parameters<SelectionPolicy['choose']>[0],
): boolean | undefined {
  if (driver === undefined) return undefined;
  if (findKnown(knowledge, driver) !== undefined) return true;
  const bound = [...host.devices.values()].filter((device) => device.driver.value === driver);
  if (bound.length === 0) return undefined;
  return bound.some(({ vfioDevices }) => vfioDevices.length > 0);
}
