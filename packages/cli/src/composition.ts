import type { CommandTable } from './run.js';
import type { VariantTable } from './variants.js';

/** Every package of drivers that modelled machines are built with; the only lines that name them. */
export const VARIANTS: VariantTable = {
  igd: async () => (await import('@vfiokit/igd')).igdVariant,
  zpci: async () => (await import('@vfiokit/zpci')).zpciVariant,
  mlx: async () => (await import('@vfiokit/mlx')).mlxVariant,
  nvlink: async () => (await import('@vfiokit/nvlink')).nvlinkVariant,
  virtio: async () => (await import('@vfiokit/virtio')).virtioVariant,
  'nvgrace-gpu': async () => (await import('@vfiokit/nvgrace-gpu')).nvgraceGpuVariant,
  'variants-more': async () => (await import('@vfiokit/variants-more')).variantsMoreVariant,
};

/** Every command by its name, in the order in which help lists them. */
export const COMMANDS: CommandTable = {
  show: async () => (await import('./commands/show.js')).show,
  plan: async () => (await import('./commands/plan.js')).plan,
  bind: async () => (await import('./commands/bind.js')).bind,
  unbind: async () => (await import('./commands/unbind.js')).unbind,
  restore: async () => (await import('./commands/restore.js')).restore,
  status: async () => (await import('./commands/status.js')).status,
  inspect: async () => (await import('./commands/inspect.js')).inspect,
  replay: async () => (await import('./commands/replay.js')).replay,
  ap: async () => (await import('./commands/ap.js')).ap,
  capture: async () => (await import('./commands/capture.js')).capture,
  serve: async () => (await import('./commands/serve.js')).serve,
  new: async () => (await import('./commands/new.js')).newCommand,
  demo: async () => (await import('./commands/demo.js')).demo,
};
