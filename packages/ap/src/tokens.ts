import type { InjectionToken } from 'tsyringe';
import type { ApDesign } from './design/ap-design.js';

/** The ways of giving queues to guests that scenarios are played on. A multi-token: register one more and it is compared too. */
export const AP_DESIGNS: InjectionToken<ApDesign> = Symbol('ApDesigns');
