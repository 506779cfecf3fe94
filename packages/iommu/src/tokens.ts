/** Each {@link IommuBackend} that containers can have: add one to offer another kind of IOMMU. */
export const IOMMU_BACKENDS: unique symbol = Symbol('IommuBackends');

/** Each {@link UsageModel} that a virtual machine monitor can choose from. */
export const USAGE_MODELS: unique symbol = Symbol('UsageModels');

/** The host's {@link IommuParameters}. */
export const IOMMU_PARAMETERS: unique symbol = Symbol('IommuParameters');
