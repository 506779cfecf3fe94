import {
  type Struct,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  vfioDeviceFeature,
  vfioDeviceFeatureDmaBuf,
  vfioDeviceInfo,
  vfioDeviceIoeventfd,
  vfioDeviceLowPowerEntryWithWakeup,
  vfioGroupStatus,
  vfioInfoCapHeader,
  vfioIommuType1DirtyBitmap,
  vfioIommuType1DirtyBitmapGet,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
  vfioIommuType1Info,
  vfioIrqInfo,
  vfioIrqSet,
  vfioPciDependentDevice,
  vfioPciHotReset,
  vfioPciHotResetInfo,
  vfioRegionDmaRange,
  vfioRegionInfo,
} from '@vfiokit/uapi';

/** The byte order of the machine on which a trace was recorded, and of the structures in it. */
export type Endian = 'little' | 'big';

/** Widths of values that follow one another; a width of 1 is left as it is. */
type Widths = readonly number[];

/** What lies behind the fixed part of a structure. */
type Tail = (view: DataView, little: boolean, reverse: Reverser) => void;
type Reverser = (at: number, widths: Widths) => void;

interface Layout {
  readonly fixed: Widths;
  readonly tail?: Tail;
}

/** The widths of a structure's members, which leave no gaps. */
function widthsOf<T>({ offsets, ends }: Struct<T>): Widths {
  return (Object.keys(offsets) as (keyof T)[]).map((name) => ends[name] - offsets[name]);
}

const CAPABILITIES_MOST = 16;

const words = (count: number): Widths => Array.from({ length: count }, () => 4);

/** As many words as there is room for, up to a count. */
function wordsAt(from: number, count: (view: DataView, little: boolean) => number): Tail {
  return (view, little, reverse) => {
    const room = Math.floor((view.byteLength - from) / 4);
    reverse(from, words(Math.min(count(view, little), room)));
  };
}

/** The bodies of capabilities, by call and id. Those that are not named are bytes. */
const BODIES: Readonly<Record<string, Readonly<Record<number, Widths>>>> = {
  GET_INFO: { 1: [8, 8, 2, 2, 2, 1, 1, 4], 2: [8, 8, 8, 2, 2, 2, 1, 1, 2], 3: [4], 4: [4] },
  GET_REGION_INFO: { 1: [4, 4], 2: [4, 4] },
  IOMMU_GET_INFO: { 1: [4, 4, 8, 8, 8, 8, 8, 8, 8, 8], 2: [4, 4, 8, 8], 3: [4] },
};

/** A chain of capabilities whose first one is at the offset that stands at `pointer`. */
function chain(call: string, pointer: number): Tail {
  return (view, little, reverse) => {
    let at = view.getUint32(pointer, little);
    for (let i = 0; i < CAPABILITIES_MOST && at !== 0; i += 1) {
      if (at + vfioInfoCapHeader.size > view.byteLength) return;
      const id = view.getUint16(at, little);
      const next = view.getUint32(at + 4, little);
      reverse(at, widthsOf(vfioInfoCapHeader));
      const end = next > at ? next : view.byteLength;
      reverse(at + vfioInfoCapHeader.size, fitting(BODIES[call]?.[id] ?? [], end - at - 8));
      at = next;
    }
  };
}

function fitting(widths: Widths, room: number): Widths {
  let left = room;
  return widths.filter((width) => {
    left -= width;
    return left >= 0;
  });
}

/** The data of features, as far as recorded calls bring any; two ranges are as many as a recorded dma-buf has. */
const FEATURE_DATA: Readonly<Record<number, Widths>> = {
  [VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP]: widthsOf(vfioDeviceLowPowerEntryWithWakeup),
  [VFIO_DEVICE_FEATURE_DMA_BUF]: [
    ...widthsOf(vfioDeviceFeatureDmaBuf),
    ...widthsOf(vfioRegionDmaRange),
    ...widthsOf(vfioRegionDmaRange),
  ],
};

const LAYOUTS: Readonly<Record<string, Layout>> = {
  GROUP_GET_STATUS: { fixed: widthsOf(vfioGroupStatus) },
  GROUP_SET_CONTAINER: { fixed: [4] },
  GET_INFO: {
    fixed: widthsOf(vfioDeviceInfo),
    tail: chain('GET_INFO', vfioDeviceInfo.offsets.capOffset),
  },
  GET_REGION_INFO: {
    fixed: widthsOf(vfioRegionInfo),
    tail: chain('GET_REGION_INFO', vfioRegionInfo.offsets.capOffset),
  },
  GET_IRQ_INFO: { fixed: widthsOf(vfioIrqInfo) },
  SET_IRQS: {
    fixed: widthsOf(vfioIrqSet),
    tail: wordsAt(vfioIrqSet.size, (view, little) =>
      (view.getUint32(vfioIrqSet.offsets.flags, little) & VFIO_IRQ_SET_DATA_EVENTFD) === 0
        ? 0
        : view.getUint32(vfioIrqSet.offsets.count, little),
    ),
  },
  GET_PCI_HOT_RESET_INFO: {
    fixed: widthsOf(vfioPciHotResetInfo),
    tail: (view, little, reverse) => {
      const { size: header } = vfioPciHotResetInfo;
      const { size: entry } = vfioPciDependentDevice;
      const count = view.getUint32(vfioPciHotResetInfo.offsets.count, little);
      for (let i = 0; i < count && header + entry * (i + 1) <= view.byteLength; i += 1)
        reverse(header + entry * i, widthsOf(vfioPciDependentDevice));
    },
  },
  PCI_HOT_RESET: {
    fixed: widthsOf(vfioPciHotReset),
    tail: wordsAt(vfioPciHotReset.size, (view, little) =>
      view.getUint32(vfioPciHotReset.offsets.count, little),
    ),
  },
  IOEVENTFD: { fixed: widthsOf(vfioDeviceIoeventfd) },
  FEATURE: {
    fixed: widthsOf(vfioDeviceFeature),
    tail: (view, little, reverse) => {
      const flags = view.getUint32(vfioDeviceFeature.offsets.flags, little);
      const data = FEATURE_DATA[flags & VFIO_DEVICE_FEATURE_MASK];
      if (data !== undefined) reverse(vfioDeviceFeature.size, data);
    },
  },
  IOMMU_GET_INFO: {
    fixed: widthsOf(vfioIommuType1Info),
    tail: chain('IOMMU_GET_INFO', vfioIommuType1Info.offsets.capOffset),
  },
  IOMMU_MAP_DMA: { fixed: widthsOf(vfioIommuType1DmaMap) },
  IOMMU_UNMAP_DMA: { fixed: [...widthsOf(vfioIommuType1DmaUnmap), 8, 8] },
  IOMMU_DIRTY_PAGES: {
    fixed: [
      ...widthsOf(vfioIommuType1DirtyBitmap),
      vfioIommuType1DirtyBitmapGet.ends.iova,
      8,
      8,
      8,
    ],
  },
};

/**
 * Turns an ioctl's argument round, in place, from one byte order to the other. The model speaks little-endian, a trace
 * of a big-endian machine does not. A call that is not known is left alone.
 *
 * @param from the order that the argument is in, which says how to read its counts and offsets.
 */
export function reverseArgument(command: string, argument: Uint8Array, from: Endian): void {
  const layout = LAYOUTS[command];
  if (layout === undefined) return;
  const view = new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
  const reverse: Reverser = (start, widths) => {
    let at = start;
    for (const width of widths) {
      argument.subarray(at, at + width).reverse();
      at += width;
    }
  };
  // The tail first: where it is and how long is written in the fixed part.
  layout.tail?.(view, from === 'little', reverse);
  reverse(0, layout.fixed);
}
