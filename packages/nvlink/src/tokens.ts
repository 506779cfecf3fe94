import type { InjectionToken } from 'tsyringe';
import type { NvlinkPlatform } from './nvlink-platform.js';

/** What the machine knows of its links; on the host's container. */
export const NVLINK_PLATFORM: InjectionToken<NvlinkPlatform> = Symbol('NVLINK_PLATFORM');
