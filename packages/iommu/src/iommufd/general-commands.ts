import {
  EBUSY,
  EINVAL,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  IOMMU_OPTION_HUGE_PAGES,
  IOMMU_OPTION_OP_GET,
  IOMMU_OPTION_OP_SET,
  IOMMU_OPTION_RLIMIT_MODE,
  IOMMU_VFIO_IOAS_CLEAR,
  IOMMU_VFIO_IOAS_GET,
  IOMMU_VFIO_IOAS_SET,
  type IommuOption,
  iommuDestroy,
  iommuOption,
  iommuVfioIoas,
  type Process,
} from '@vfiokit/uapi';
import { command } from './command.js';
import type { IommufdContext } from './context.js';
import { Ioas } from './ioas.js';

/** IOMMU_DESTROY */
export const destroy = command(iommuDestroy, iommuDestroy.size, (context, { id }) => {
  const object = context.objects.get(id);
  const result = context.objects.destroy(id);
  if (result === 0 && object === context.compatIoas) context.compatIoas = undefined;
  return result;
});

/** IOMMU_OPTION */
export const option = command(iommuOption, iommuOption.size, (context, input, caller) => {
  const { op, reserved, optionId } = input;
  if (reserved !== 0 || (op !== IOMMU_OPTION_OP_SET && op !== IOMMU_OPTION_OP_GET))
    return -EOPNOTSUPP;
  switch (optionId) {
    case IOMMU_OPTION_RLIMIT_MODE:
      return rlimitMode(context, input, caller);
    case IOMMU_OPTION_HUGE_PAGES:
      return hugePages(context, input);
    default:
      return -EOPNOTSUPP;
  }
});

/** How locked memory is counted: only before there is anything, and only for who may. */
function rlimitMode(
  context: IommufdContext,
  { objectId, op, val64 }: IommuOption,
  caller: Process,
): number | Partial<IommuOption> {
  if (objectId !== 0) return -EOPNOTSUPP;
  if (op === IOMMU_OPTION_OP_GET) return { val64: context.rlimitMode === 'mm' ? 1n : 0n };
  if (!caller.credentials.sysResource) return -EPERM;
  if (context.objects.size > 0) return -EBUSY;
  if (val64 > 1n) return -EINVAL;
  context.rlimitMode = val64 === 1n ? 'mm' : 'user';
  return 0;
}

function hugePages(
  context: IommufdContext,
  { objectId, op, val64 }: IommuOption,
): number | Partial<IommuOption> {
  const ioas = context.find(objectId, Ioas);
  if (typeof ioas === 'number') return ioas;
  if (op === IOMMU_OPTION_OP_GET) return { val64: ioas.hugePages ? 1n : 0n };
  return val64 > 1n ? -EINVAL : ioas.setHugePages(val64 === 1n);
}

/** IOMMU_VFIO_IOAS: the IOAS that VFIO's own calls work on. */
export const vfioIoas = command(
  iommuVfioIoas,
  iommuVfioIoas.size,
  (context, { ioasId, op, reserved }) => {
    if (reserved !== 0) return -EOPNOTSUPP;
    switch (op) {
      case IOMMU_VFIO_IOAS_GET:
        return context.compatIoas ? { ioasId: context.compatIoas.id } : -ENODEV;
      case IOMMU_VFIO_IOAS_SET: {
        const ioas = context.find(ioasId, Ioas);
        if (typeof ioas === 'number') return ioas;
        context.compatIoas = ioas;
        return 0;
      }
      case IOMMU_VFIO_IOAS_CLEAR:
        context.compatIoas = undefined;
        return 0;
      default:
        return -EOPNOTSUPP;
    }
  },
);
