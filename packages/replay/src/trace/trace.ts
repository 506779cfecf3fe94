/** A function's sysfs attributes as the recorder found them; numbers are text, as sysfs prints them. */
export interface RecordedFunction {
  readonly bdf: string;
  readonly vendor: string;
  readonly device: string;
  readonly subsystem_vendor?: string;
  readonly subsystem_device?: string;
  readonly revision?: string;
  readonly class: string;
  readonly driver?: string;
  readonly iommu_group?: string;
  /** The PF, if it is a VF. */
  readonly physfn?: string;
}

/** A function that was recorded, or a bridge above one: with its configuration space. */
export interface RecordedDevice extends RecordedFunction {
  readonly irq?: string;
  readonly enable?: string;
  readonly power_state?: string;
  /** Absent if the kernel has no runtime PM. */
  readonly 'power/runtime_status'?: string;
  /** In the order in which the kernel tries them, separated by blanks; absent if there is none. */
  readonly reset_method?: string;
  readonly sriov_totalvfs?: string;
  readonly sriov_numvfs?: string;
  readonly sriov_offset?: string;
  readonly sriov_stride?: string;
  readonly sriov_vf_device?: string;
  /** Where it hangs: `/sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0`. */
  readonly path?: string;
  /** Lines `start end flags` of the BARs, the ROM, and whatever else the function has. */
  readonly resource: readonly string[];
  readonly rom_file?: boolean;
  /** Bytes of configuration space. */
  readonly cfg_size: number;
  /** Configuration space in hex, zeroes at the end cut off. */
  readonly config: string;
}

/** An IOMMU group as the recorder found it. */
export interface RecordedGroup {
  /** Its number among the trace's objects. */
  readonly g: number;
  /** Its number on the machine. */
  readonly id: number;
  readonly type: string;
  /** Lines `start end type`. */
  readonly reserved_regions: readonly string[];
  /** Addresses of its functions. */
  readonly members: readonly string[];
}

/** Capability registers of an IOMMU, in hex. */
export interface RecordedIommu {
  readonly name: string;
  readonly cap?: string;
  readonly ecap?: string;
  readonly version?: string;
  readonly features?: string;
}

/** What an option ROM held; contents behind the first 4096 bytes were not recorded. */
export interface RecordedRom {
  readonly len: number;
  readonly hex: string;
}

/** A trace's first line: the machine, and the fixed numbers that the script used. */
export interface TraceMeta {
  readonly op: 'meta';
  readonly format: number;
  readonly mode: string;
  readonly kernel: string;
  readonly arch: string;
  readonly endian: 'little' | 'big';
  readonly pagesize: number;
  readonly fds: {
    readonly null: number;
    readonly container: number;
    readonly group: number;
    readonly device: number;
    readonly device2: number;
    readonly eventfd: number;
    readonly neventfd: number;
    readonly bad: number;
  };
  readonly mem: {
    readonly arena: string;
    readonly arena_size: string;
    readonly readonly: string;
    readonly readonly_size: string;
    readonly hole: string;
  };
  readonly modparams: Readonly<Record<string, string>>;
  readonly devices: readonly RecordedDevice[];
  readonly groups: readonly RecordedGroup[];
  readonly system: readonly RecordedFunction[];
  readonly bridges: readonly RecordedDevice[];
  /** Addresses of hot-plug slots, by name. */
  readonly slots: Readonly<Record<string, string>>;
  readonly iommu: readonly RecordedIommu[];
  readonly rom: readonly (RecordedRom | null)[];
}

/** A trace's second line, where it has one: how the silicon reacts, found by configuration accesses without any driver. */
export interface HwProbe {
  readonly op: 'hwprobe';
  readonly bdf: string;
  readonly cfg_size: number;
  readonly intx_mask_supported: boolean;
  /** Configuration space before. */
  readonly config: string;
  /** Bits that follow writes, in hex. */
  readonly wmask: string;
  /** Bits that were 1 and went to 0 when 1 was written. */
  readonly w1c_seen: string;
  /** What the kernel's own reset returned: 0 or a negated errno. */
  readonly sysfs_reset: number;
  readonly after_raw_flr?: string;
  readonly after_raw_af?: string;
  readonly after_raw_d3_d0?: string;
  /** Configuration space after D3hot was written; whether it was entered shows in it. */
  readonly in_raw_d3hot?: string;
}

/** Raw configuration bytes that changed: hex by decimal offset. */
export type ChangedBytes = Readonly<Record<string, string>>;

/** What became visible by the end of an operation: eventfd counters, and for each device its raw bytes and D-state. */
export interface Effects {
  readonly ev?: Readonly<Record<string, number>>;
  readonly [effect: `hw${string}`]: ChangedBytes | undefined;
  readonly [effect: `ps${string}`]: string | undefined;
}

interface Operation<Name extends string> extends Effects {
  readonly seq: number;
  readonly op: Name;
}

export type SectionOp = Operation<'section'> & { readonly name: string };
export type NoteOp = Operation<'note'> & { readonly text: string };
export type HwSnapOp = Operation<'hwsnap'> & {
  readonly dev: number;
  readonly len: number;
  readonly hex: string;
  readonly rpm: string;
  readonly power_state: string;
  readonly enable: string;
  readonly irq: string;
};
export type BindOp = Operation<'bind'> & {
  readonly dev: number;
  readonly driver: string;
  readonly bound: boolean;
  readonly ret: number;
};
export type UnbindOp = Operation<'unbind'> & { readonly dev: number; readonly ret: number };
export type UnbindStartOp = Operation<'unbind_start'> & { readonly dev: number };
export type UnbindDoneOp = Operation<'unbind_done'> & { readonly dev: number };
export type OpenOp = Operation<'open'> & {
  readonly obj: string;
  readonly group?: number;
  readonly ret: number;
};
export type CloseOp = Operation<'close'> & {
  readonly obj: string;
  readonly fd?: number;
  readonly ret: number;
};
export type GetDeviceFdOp = Operation<'get_device_fd'> & {
  readonly obj: string;
  readonly name: string;
  readonly ret: number;
  readonly dev?: number;
};
export type IoctlOp = Operation<'ioctl'> & {
  readonly obj: string;
  readonly cmd: string;
  /** The argument structure as passed; zeroes follow it. */
  readonly in?: string;
  /** The argument was this number. */
  readonly arg?: number;
  /** The argument was a pointer to nothing. */
  readonly badptr?: boolean;
  /** `newfd`: a descriptor, closed at once. */
  readonly ret: number | 'newfd';
  /** The structure afterwards, if it changed. */
  readonly out?: string;
  readonly argsz?: number;
  readonly flags?: number;
  readonly index?: number;
  readonly start?: number;
  readonly count?: number;
  readonly bm_bad?: number;
  /** What the bitmap behind the structure held afterwards, zeroes at the end cut off. */
  readonly bitmap?: string;
};
export type PreadOp = Operation<'pread'> & {
  readonly dev: number;
  readonly r: number;
  readonly o: number;
  readonly n: number;
  readonly fd?: number;
  readonly ret: number;
  /** What was read; `..` for a byte that was not recorded, `*` for all of them. */
  readonly out?: string;
};
export type PwriteOp = Operation<'pwrite'> & {
  readonly dev: number;
  readonly r: number;
  readonly o: number;
  readonly n: number;
  readonly in: string;
  readonly fd?: number;
  readonly ret: number;
};
export type MmapOp = Operation<'mmap'> & {
  readonly dev: number;
  readonly r: number;
  readonly o: number;
  readonly len: number;
  readonly prot: number;
  readonly shared: boolean;
  readonly ret: number;
  /** How reading the first byte went, if it was tried. */
  readonly touch?: 'ok' | 'SIGBUS';
  readonly byte?: number;
};
export type EfdWriteOp = Operation<'efd_write'> & {
  readonly e: number;
  readonly v: number;
  readonly ret: number;
};
export type DelayOp = Operation<'delay'> & { readonly ms: number };
export type WaitSuspendOp = Operation<'wait_suspend'> & {
  readonly dev: number;
  readonly rpm: string;
};
export type MemOp = Operation<'mem'> & { readonly addr: string; readonly hex: string };
export type CapIpcLockOp = Operation<'cap_ipc_lock'> & { readonly on: boolean };
export type RlimitMemlockOp = Operation<'rlimit_memlock'> & { readonly bytes: number };
export type SriovNumvfsOp = Operation<'sriov_numvfs'> & {
  readonly dev: number;
  readonly n: number;
  readonly ret: number;
};

/** One line of a trace. */
export type TraceOp =
  | SectionOp
  | NoteOp
  | HwSnapOp
  | BindOp
  | UnbindOp
  | UnbindStartOp
  | UnbindDoneOp
  | OpenOp
  | CloseOp
  | GetDeviceFdOp
  | IoctlOp
  | PreadOp
  | PwriteOp
  | MmapOp
  | EfdWriteOp
  | DelayOp
  | WaitSuspendOp
  | MemOp
  | CapIpcLockOp
  | RlimitMemlockOp
  | SriovNumvfsOp;

/** A recorded run of user space against a kernel. */
export interface Trace {
  /** Where it was read from. */
  readonly path: string;
  readonly meta: TraceMeta;
  readonly probes: readonly HwProbe[];
  readonly operations: readonly TraceOp[];
  /** How many lines had an operation that is not known here, by its name. */
  readonly unknown: ReadonlyMap<string, number>;
}
