import type { FunctionDescription, PciDevice } from '@vfiokit/pci';
import type { DependencyContainer } from 'tsyringe';

/** A described machine, as far as it concerns the variants that join it. */
export interface MachineFacts {
  /** For messages. */
  readonly name: string;
  readonly architecture: string;
  readonly functions: readonly { readonly at: string }[];
  /** Tables of firmware by name, as somebody wrote them: `firmwareTable` and `firmwareRecord` read them. */
  readonly firmware: Readonly<Record<string, unknown>>;
}

/**
 * How a package joins a machine that is being put together: drivers go onto the host's container in any case, what
 * firmware has to tell only where the machine has a table of it.
 *
 * @throws VfioError EINVAL for a table that says what it can't say.
 */
export type Variant = (host: DependencyContainer, machine: MachineFacts) => void;

/**
 * What a function is beyond the ids, BARs and capabilities that a machine's description has words for: registers behind
 * its BARs, what firmware left in them, its VFs. Token: `SILICON`, on the host's container.
 */
export interface SiliconModel {
  /**
   * Asked when a function is plugged in.
   *
   * @returns the function with more to it, or `description` itself if it is none that the model knows.
   */
  describe(name: string, description: FunctionDescription): FunctionDescription;
}

/**
 * A native driver, as far as VFIO drivers of its VFs need it. Token: `NATIVE_DRIVERS`, on the host's container.
 */
export interface NativeDriver {
  /** As it is registered with the bus, which need not be what its module is called. */
  readonly name: string;
  /** The driver takes a function; what it leaves there for `pfDriverData` (pci_set_drvdata), if anything. */
  probe(pdev: PciDevice): object | undefined;
}
