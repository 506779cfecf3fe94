import { expect, test } from 'vitest';
import * as module from '../src/eeh.js';
import { vfioEehPeErr, vfioEehPeOp } from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioEehPeErr, 24, { type: 0, func: 4, addr: 8, mask: 16 });
describeLayout(vfioEehPeOp, 40, { argsz: 0, flags: 4, op: 8, err: 16 });

describeConstants('eeh.ts', module, {
  VFIO_EEH_PE_DISABLE: 0,
  VFIO_EEH_PE_ENABLE: 1,
  VFIO_EEH_PE_UNFREEZE_IO: 2,
  VFIO_EEH_PE_UNFREEZE_DMA: 3,
  VFIO_EEH_PE_GET_STATE: 4,
  VFIO_EEH_PE_RESET_DEACTIVATE: 5,
  VFIO_EEH_PE_RESET_HOT: 6,
  VFIO_EEH_PE_RESET_FUNDAMENTAL: 7,
  VFIO_EEH_PE_CONFIGURE: 8,
  VFIO_EEH_PE_INJECT_ERR: 9,
  VFIO_EEH_PE_STATE_NORMAL: 0,
  VFIO_EEH_PE_STATE_RESET: 1,
  VFIO_EEH_PE_STATE_STOPPED: 2,
  VFIO_EEH_PE_STATE_STOPPED_DMA: 4,
  VFIO_EEH_PE_STATE_UNAVAIL: 5,
  EEH_ERR_TYPE_32: 0,
  EEH_ERR_TYPE_64: 1,
  EEH_ERR_FUNC_MIN: 0,
  EEH_ERR_FUNC_MAX: 19,
});

test('the minimum of VFIO_EEH_PE_OP is 12 bytes, up to the operation', () => {
  expect(vfioEehPeOp.ends.op).toBe(12);
});
