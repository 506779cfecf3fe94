import { expectTypeOf } from 'vitest';
import type {
  AccessSize,
  DeviceMapping,
  ErrnoName,
  FaultingBuffer,
  IoctlArgument,
  MigrationFile,
  MigrationState,
  MmapRequest,
  Process,
  StructOf,
  VfioDevice,
  VfioFile,
  VfioRegionInfo,
} from '../src/index.js';
import { copyArgszIn, struct, u8, u64, VfioError, vfioRegionInfo } from '../src/index.js';

// What other packages and programs are written against. `tsc -p tsconfig.test.json` checks this file.

expectTypeOf<IoctlArgument>().toEqualTypeOf<number | Uint8Array | undefined>();
expectTypeOf<AccessSize>().toEqualTypeOf<1 | 2 | 4>();

expectTypeOf<VfioFile['kind']>().toEqualTypeOf<
  'container' | 'group' | 'device' | 'iommufd' | 'migration' | 'eventfd' | 'dma-buf' | 'other'
>();
expectTypeOf<VfioFile['close']>().toEqualTypeOf<() => void>();
expectTypeOf<VfioFile>().toHaveProperty('ioctl');
expectTypeOf<{ kind: 'other'; close(): void }>().toExtend<VfioFile>();

expectTypeOf<VfioDevice>().toExtend<VfioFile>();
expectTypeOf<VfioDevice['kind']>().toEqualTypeOf<'device'>();
expectTypeOf<VfioDevice['name']>().toEqualTypeOf<string>();
expectTypeOf<VfioDevice['read']>().toEqualTypeOf<
  (region: number, offset: number, size: AccessSize) => number
>();
expectTypeOf<VfioDevice['write']>().toEqualTypeOf<
  (region: number, offset: number, size: AccessSize, value: number) => number
>();
expectTypeOf<VfioDevice['pread']>().toEqualTypeOf<
  (into: Uint8Array | FaultingBuffer, position: number) => number
>();
expectTypeOf<VfioDevice['pwrite']>().toEqualTypeOf<
  (from: Uint8Array | FaultingBuffer, position: number) => number
>();
expectTypeOf<VfioDevice['mmap']>().toEqualTypeOf<
  (request: MmapRequest) => DeviceMapping | number
>();
expectTypeOf<VfioDevice['ioctl']>().toEqualTypeOf<
  (command: number, argument: IoctlArgument, caller: Process) => number
>();

expectTypeOf<MigrationFile>().toExtend<VfioFile>();
expectTypeOf<MigrationFile['read']>().toEqualTypeOf<(into: Uint8Array) => number>();
expectTypeOf<MigrationState>().toExtend<string>();

expectTypeOf(VfioError).toBeConstructibleWith('EINVAL', 'subject: what is wrong');
expectTypeOf(VfioError).toBeConstructibleWith('EINVAL', 'subject', { cause: 1 });
expectTypeOf<VfioError['code']>().toEqualTypeOf<ErrnoName>();
expectTypeOf<VfioError['errno']>().toEqualTypeOf<number>();
expectTypeOf<VfioError>().toExtend<Error>();

// A structure's value follows from its literal: 64 bits are a bigint, all else a number.
expectTypeOf<VfioRegionInfo>().toEqualTypeOf<{
  readonly argsz: number;
  readonly flags: number;
  readonly index: number;
  readonly capOffset: number;
  readonly size: bigint;
  readonly offset: bigint;
}>();
const nested = struct('nested', { head: u8, inner: struct('inner', { address: u64 }) });
expectTypeOf<StructOf<typeof nested>>().toEqualTypeOf<{
  readonly head: number;
  readonly inner: { readonly address: bigint };
}>();
expectTypeOf(copyArgszIn(undefined, vfioRegionInfo)).toEqualTypeOf<VfioRegionInfo | number>();
// @ts-expect-error a structure has only its own members
vfioRegionInfo.encode({ nonsense: 1 });
// @ts-expect-error 64 bits do not fit a number
vfioRegionInfo.encode({ size: 1 });
