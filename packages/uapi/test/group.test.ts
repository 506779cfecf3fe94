import * as module from '../src/group.js';
import { vfioGroupStatus } from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioGroupStatus, 8, { argsz: 0, flags: 4 });

describeConstants('group.ts', module, {
  VFIO_GROUP_FLAGS_VIABLE: 1,
  VFIO_GROUP_FLAGS_CONTAINER_SET: 2,
});
