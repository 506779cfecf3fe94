import {
  copyArgszIn,
  EINVAL,
  ENODEV,
  type IoctlArgument,
  VFIO_EEH_PE_CONFIGURE,
  VFIO_EEH_PE_DISABLE,
  VFIO_EEH_PE_ENABLE,
  VFIO_EEH_PE_GET_STATE,
  VFIO_EEH_PE_INJECT_ERR,
  VFIO_EEH_PE_RESET_DEACTIVATE,
  VFIO_EEH_PE_RESET_FUNDAMENTAL,
  VFIO_EEH_PE_RESET_HOT,
  VFIO_EEH_PE_STATE_NORMAL,
  VFIO_EEH_PE_STATE_RESET,
  VFIO_EEH_PE_STATE_STOPPED,
  VFIO_EEH_PE_STATE_STOPPED_DMA,
  VFIO_EEH_PE_UNFREEZE_DMA,
  VFIO_EEH_PE_UNFREEZE_IO,
  vfioEehPeOp,
} from '@vfiokit/uapi';

/** Up to the operation: what the first version of the call had. */
const MINIMUM = vfioEehPeOp.ends.op;

/** What a partitionable endpoint does at the moment. */
export type EehState = 'normal' | 'reset' | 'stopped' | 'stopped-dma';

const STATE_NUMBER: Readonly<Record<EehState, number>> = {
  normal: VFIO_EEH_PE_STATE_NORMAL,
  reset: VFIO_EEH_PE_STATE_RESET,
  stopped: VFIO_EEH_PE_STATE_STOPPED,
  'stopped-dma': VFIO_EEH_PE_STATE_STOPPED_DMA,
};

/** A state that an operation leads to; by the state that it starts from where it depends on that. */
type Arc = (from: EehState) => EehState;

/** What each operation does to the state. Operations on something that is not so change nothing. */
const ARCS: Readonly<Record<number, Arc>> = {
  [VFIO_EEH_PE_DISABLE]: (from) => from,
  [VFIO_EEH_PE_ENABLE]: (from) => from,
  [VFIO_EEH_PE_UNFREEZE_IO]: (from) => (from === 'stopped' ? 'stopped-dma' : from),
  [VFIO_EEH_PE_UNFREEZE_DMA]: (from) => (from === 'stopped-dma' ? 'normal' : from),
  [VFIO_EEH_PE_RESET_DEACTIVATE]: (from) => (from === 'reset' ? 'normal' : from),
  [VFIO_EEH_PE_RESET_HOT]: () => 'reset',
  [VFIO_EEH_PE_RESET_FUNDAMENTAL]: () => 'reset',
  [VFIO_EEH_PE_CONFIGURE]: (from) => from,
  [VFIO_EEH_PE_INJECT_ERR]: () => 'stopped',
};

/** A partitionable endpoint: what POWER isolates and stops when it errs (powerpc/kernel/eeh.c: struct eeh_pe). */
export class EehPe {
  #state: EehState = 'normal';

  get state(): EehState {
    return this.#state;
  }

  /** Its DMA gets through. */
  get dmaWorks(): boolean {
    return this.#state === 'normal';
  }

  /**
   * Carries an operation out.
   *
   * @returns 0, the state's number, or `-EINVAL` for an operation that there is none of.
   */
  run(op: number): number {
    if (op === VFIO_EEH_PE_GET_STATE) return STATE_NUMBER[this.#state];
    const arc = ARCS[op];
    if (arc === undefined) return -EINVAL;
    this.#state = arc(this.#state);
    return 0;
  }
}

/** VFIO_EEH_PE_OP on one group: 0, a state, or a negated errno (vfio_spapr_eeh.c: vfio_spapr_iommu_eeh_ioctl). */
export function eehPeOp(pe: EehPe | undefined, argument: IoctlArgument): number {
  if (pe === undefined) return -ENODEV;
  const request = copyArgszIn(argument, vfioEehPeOp, MINIMUM);
  if (typeof request === 'number') return request;
  if (request.flags !== 0) return -EINVAL;
  if (request.op === VFIO_EEH_PE_INJECT_ERR && request.argsz < vfioEehPeOp.size) return -EINVAL;
  return pe.run(request.op);
}
