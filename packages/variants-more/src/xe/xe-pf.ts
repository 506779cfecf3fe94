/** The native driver of a graphics PF, as far as it serves VFs; VFs count from 1, results are 0 or negated errnos (include/drm/intel/xe_sriov_vfio.h). */
export abstract class XePf {
  abstract readonly supportsMigration: boolean;
  abstract prepareFlr(vf: number): void;
  abstract waitFlrDone(vf: number): number;
  abstract pause(vf: number): number;
  abstract resume(vf: number): number;
  abstract saveStart(vf: number): number;
  abstract saveFinish(vf: number): number;
  abstract restoreStart(vf: number): number;
  abstract restoreFinish(vf: number): number;
  /** Something went wrong: the VF stays stopped. */
  abstract stop(vf: number): void;
  /** Bytes read, 0 at the end, or a negated errno. */
  abstract read(vf: number, into: Uint8Array): number;
  abstract write(vf: number, from: Uint8Array): number;
  abstract size(vf: number): bigint;
}
