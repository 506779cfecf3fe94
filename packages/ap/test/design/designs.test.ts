import { MatrixBusDesign, VfioApDesign } from '@vfiokit/ap';
import { describeApDesign } from '../support/design-contract.js';

describeApDesign(new VfioApDesign());
describeApDesign(new MatrixBusDesign('strict'));
describeApDesign(new MatrixBusDesign('forced'));
