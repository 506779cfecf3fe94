import type { InjectionToken } from 'tsyringe';
import type { KvmZpci } from './kvm-zpci.js';
import type { ZpciFunctions } from './zpci-hook.js';

/** Finds what s390 knows of a function; on the host's container. */
export const ZPCI_FUNCTIONS: InjectionToken<ZpciFunctions> = Symbol('ZPCI_FUNCTIONS');
/** KVM's side; not there while the KVM module is not loaded. */
export const KVM_ZPCI: InjectionToken<KvmZpci> = Symbol('KVM_ZPCI');
