import * as module from '../src/gfx-plane.js';
import { vfioDeviceGfxPlaneInfo } from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioDeviceGfxPlaneInfo, 64, {
  argsz: 0,
  flags: 4,
  drmPlaneType: 8,
  drmFormat: 12,
  drmFormatMod: 16,
  width: 24,
  height: 28,
  stride: 32,
  size: 36,
  xPos: 40,
  yPos: 44,
  xHot: 48,
  yHot: 52,
  regionIndexOrDmabufId: 56,
  reserved: 60,
});

describeConstants('gfx-plane.ts', module, {
  VFIO_GFX_PLANE_TYPE_PROBE: 1,
  VFIO_GFX_PLANE_TYPE_DMABUF: 2,
  VFIO_GFX_PLANE_TYPE_REGION: 4,
});
