import type { InjectionToken } from 'tsyringe';
import type { IgdPlatform, IgdQuirks } from './igd-platform.js';

/** Physical memory and other functions of the machine; on the host's container. */
export const IGD_PLATFORM: InjectionToken<IgdPlatform> = Symbol('IGD_PLATFORM');
/** Which warts of the driver are mended; on the host's container. */
export const IGD_QUIRKS: InjectionToken<IgdQuirks> = Symbol('IGD_QUIRKS');
