import { vfioIrqInfo } from '../src/index.js';
import * as module from '../src/irq-info.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioIrqInfo, 16, { argsz: 0, flags: 4, index: 8, count: 12 });

describeConstants('irq-info.ts', module, {
  VFIO_IRQ_INFO_EVENTFD: 1,
  VFIO_IRQ_INFO_MASKABLE: 2,
  VFIO_IRQ_INFO_AUTOMASKED: 4,
  VFIO_IRQ_INFO_NORESIZE: 8,
});
