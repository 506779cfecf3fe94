/** Loads modules, which no file of sysfs can do. */
export interface ModuleLoader {
  /** Loads a module, its blacklist honoured; undefined for a success. */
  load(module: string): Promise<{ readonly errno: number; readonly message: string } | undefined>;
}

/** For machines on which nothing can be loaded. */
export const NO_LOADER: ModuleLoader = {
  load: async (module) => ({ errno: -1, message: `module ${module} can't be loaded here` }),
};
