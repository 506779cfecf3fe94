import { ADDRESS_END } from '../address/address.js';
import type { Iommu } from './iommu.js';
import { PSERIES } from './tce-platform.js';

/** An entry of /sys/class/iommu: the registers as the kernel shows them there, in hex. */
export interface IommuRegisters {
  /** Such as `dmar0`, `ivhd0`, `s390-iommu.00000008`. */
  readonly name: string;
  /** VT-d's capability register (VT-d 11.4.2), or AMD's capability header. */
  readonly cap?: string;
  /** VT-d's extended capability register (VT-d 11.4.3). */
  readonly ecap?: string;
  /** AMD's extended feature registers, `EFR:EFR2`. */
  readonly features?: string;
}

const KIB_4 = 0x1000n;
const MIB_2 = 0x200000n;
const GIB_1 = 0x40000000n;
/** Every power of two from 4 KiB to 2^51 but 512 GiB: what AMD's page tables can say in a leaf. */
const AMD_PAGE_SIZES = 0x000f_ff7f_ffff_f000n;
/** The region third table of z/Architecture: 42 bits. */
const S390_APERTURE = 2 ** 42;
const HW_INFO_VTD = 1;
const HW_INFO_AMD = 4;
const HWPT_DATA_VTD_S1 = 1;

const bits = (value: bigint, low: number, count: number) =>
  Number((value >> BigInt(low)) & ((1n << BigInt(count)) - 1n));
const bit = (value: bigint, at: number) => bits(value, at, 1) === 1;

function words(...values: readonly bigint[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(values).buffer);
}

/** VT-d, from its capability registers (VT-d 11.4.2 and 11.4.3). */
export function vtdIommu(registers: IommuRegisters): Iommu {
  const cap = BigInt(`0x${registers.cap ?? '0'}`);
  const ecap = BigInt(`0x${registers.ecap ?? '0'}`);
  const largePages = bits(cap, 34, 4);
  const nesting = bit(ecap, 26);
  return {
    name: registers.name,
    driver: 'dmar',
    pageSizes: KIB_4 | (largePages & 1 ? MIB_2 : 0n) | (largePages & 2 ? GIB_1 : 0n),
    aperture: { start: 0, end: 2 ** (bits(cap, 16, 6) + 1) },
    cacheCoherent: true,
    enforcesCacheCoherency: bit(ecap, 7),
    isolatedMsi: bit(ecap, 3),
    dirtyTracking: bit(ecap, 45),
    ...(nesting && { nesting: HWPT_DATA_VTD_S1 }),
    pasidBits: bit(ecap, 40) ? bits(ecap, 35, 5) + 1 : 0,
    info: { type: HW_INFO_VTD, data: words(0n, cap, ecap) },
  };
}

/** AMD-Vi: six levels of page table, interrupt remapping always (amd/iommu.c). */
export function amdIommu(registers: IommuRegisters): Iommu {
  const [efr = '0', efr2 = '0'] = (registers.features ?? '0:0').split(':');
  return {
    name: registers.name,
    driver: 'ivhd',
    pageSizes: AMD_PAGE_SIZES,
    aperture: { start: 0, end: ADDRESS_END },
    cacheCoherent: true,
    enforcesCacheCoherency: true,
    isolatedMsi: true,
    dirtyTracking: bit(BigInt(`0x${efr}`), 52),
    pasidBits: 0,
    info: { type: HW_INFO_AMD, data: words(BigInt(`0x${efr}`), BigInt(`0x${efr2}`)) },
  };
}

/** z/Architecture PCI: 4 KiB pages; what a function can reach shows as reserved regions around it (s390-iommu.c). */
export function s390Iommu({ name }: IommuRegisters): Iommu {
  return {
    name,
    driver: 's390-iommu',
    pageSizes: KIB_4,
    aperture: { start: 0, end: S390_APERTURE },
    cacheCoherent: true,
    enforcesCacheCoherency: false,
    isolatedMsi: true,
    dirtyTracking: false,
    pasidBits: 0,
  };
}

/** A POWER host bridge in an LPAR: TCE tables that the hypervisor holds (pseries/iommu.c). */
export function pseriesIommu({ name }: IommuRegisters): Iommu {
  return {
    name,
    driver: 'spapr-tce',
    pageSizes: 0n,
    aperture: { start: 0, end: ADDRESS_END },
    cacheCoherent: true,
    enforcesCacheCoherency: false,
    isolatedMsi: true,
    dirtyTracking: false,
    pasidBits: 0,
    tce: PSERIES,
  };
}

const MAKERS: readonly [prefix: string, make: (registers: IommuRegisters) => Iommu][] = [
  ['dmar', vtdIommu],
  ['ivhd', amdIommu],
  ['s390-iommu', s390Iommu],
  ['iommu-phb', pseriesIommu],
];

/** The IOMMU that an entry of /sys/class/iommu describes; `undefined` for one whose driver is not known here. */
export function iommuFromRegisters(registers: IommuRegisters): Iommu | undefined {
  const maker = MAKERS.find(([prefix]) => registers.name.startsWith(prefix));
  return maker?.[1](registers);
}
