/** The commands of vfio-user by their numbers. 14 is retired. */
export const COMMANDS = {
  VERSION: 1,
  DMA_MAP: 2,
  DMA_UNMAP: 3,
  DEVICE_GET_INFO: 4,
  DEVICE_GET_REGION_INFO: 5,
  DEVICE_GET_REGION_IO_FDS: 6,
  DEVICE_GET_IRQ_INFO: 7,
  DEVICE_SET_IRQS: 8,
  REGION_READ: 9,
  REGION_WRITE: 10,
  /** The server asks. */
  DMA_READ: 11,
  /** The server asks. */
  DMA_WRITE: 12,
  DEVICE_RESET: 13,
  REGION_WRITE_MULTI: 15,
  DEVICE_FEATURE: 16,
  MIG_DATA_READ: 17,
  MIG_DATA_WRITE: 18,
} as const;

export type CommandName = keyof typeof COMMANDS;

export const {
  VERSION,
  DMA_MAP,
  DMA_UNMAP,
  DEVICE_GET_INFO,
  DEVICE_GET_REGION_INFO,
  DEVICE_GET_REGION_IO_FDS,
  DEVICE_GET_IRQ_INFO,
  DEVICE_SET_IRQS,
  REGION_READ,
  REGION_WRITE,
  DMA_READ,
  DMA_WRITE,
  DEVICE_RESET,
  REGION_WRITE_MULTI,
  DEVICE_FEATURE,
  MIG_DATA_READ,
  MIG_DATA_WRITE,
} = COMMANDS;

const NAMES = new Map<number, CommandName>(
  (Object.entries(COMMANDS) as [CommandName, number][]).map(([name, number]) => [number, name]),
);

/** A command's name; `command 99` where it has none. */
export function commandName(command: number): CommandName | `command ${number}` {
  return NAMES.get(command) ?? `command ${command}`;
}
