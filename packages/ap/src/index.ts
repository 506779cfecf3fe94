import 'reflect-metadata';

// The architecture: facts, and the hardware that obeys them.
export * from './arch/adapter.js';
export * from './arch/apqn.js';
export * from './arch/hardware.js';
export * from './arch/instructions.js';
export * from './arch/limited.js';
export * from './arch/mask.js';
export * from './arch/mask-grammar.js';
export * from './arch/matrix.js';
export * from './arch/pqap.js';
export * from './arch/qci.js';
export * from './arch/queue-status.js';
export * from './arch/sclp.js';
export * from './arch/tapq-info.js';
// The AP bus of a kernel.
export { ApBus, type ApBusParameters, type ApBusParts } from './bus/ap-bus.js';
export type { ApDevice } from './bus/ap-bus-type.js';
export type { ApCard } from './bus/ap-card.js';
export * from './bus/ap-driver.js';
export type { ApPerms, PermMask } from './bus/ap-perms.js';
export type { ApQueue, HostRequest } from './bus/ap-queue.js';
export type { ApScanner } from './bus/ap-scan.js';
export { ApSubsystem } from './bus/ap-subsystem.js';
export * from './bus/phases.js';
// Designs, and what they are compared by.
export * from './design/ap-design.js';
export { MatrixBusDesign, MatrixBusWorld } from './design/matrix-bus-design.js';
export * from './design/observation.js';
export { VfioApDesign, VfioApWorld } from './design/vfio-ap-design.js';
// Guests and their machines.
export * from './guest/guest.js';
export { GuestInstructions } from './guest/guest-instructions.js';
export { VfioApDevice } from './guest/vfio-ap-device.js';
export { type VfioDoor, type VfioUser, vfioUser } from './guest/vfio-user.js';
export { KernelClock } from './kernel-clock.js';
export type { CrycbFormat } from './kvm/crycb.js';
export type { Gisa } from './kvm/gisa.js';
export * from './kvm/kvm.js';
export * from './kvm/nested.js';
export * from './kvm/pqap.js';
// The life cycle.
export * from './life-cycle/events.js';
export * from './life-cycle/table.js';
// Machines.
export { ApMachine, type ApMachineSpec } from './machine/ap-machine.js';
export { MatrixBusMachine, type MatrixBusMachineSpec } from './machine/matrix-bus-machine.js';
export type { Partition } from './machine/partition.js';
export { Shell } from './machine/shell.js';
export type { GuestMatrix } from './matrix-bus/guest-matrix.js';
export type { HostBus, MatrixBus, Reclaim } from './matrix-bus/matrix-bus.js';
export type { MatrixBusDevices, MatrixDevice } from './matrix-bus/matrix-bus-devices.js';
export type { Assignable } from './passthrough/assignable.js';
export { type GuestAttachment, VFIO_AP_IRQ } from './passthrough/guest-attachment.js';
export type { PassedQueue } from './passthrough/passed-queue.js';
export { registerAp } from './register.js';
export { compareObservations, type Effect, queueState } from './scenario/effects.js';
export * from './scenario/report.js';
export { ScenarioRun, type StepResult } from './scenario/run.js';
export { parseScenario, type Scenario, type ScenarioStep } from './scenario/scenario.js';
export { ScenarioPlayer } from './scenario/scenario-player.js';
export { withStep } from './scenario/session.js';
export * from './scenario/shipped.js';
export type { Actor, StepKind } from './scenario/step-kind.js';
export { STEP_KINDS, type Verb } from './scenario/step-kinds.js';
// Pictures.
export { drawAscii } from './show/ascii.js';
export * from './show/boxes.js';
export { type DiagramNode, type Layout, layOut } from './show/diagram.js';
// Scenarios.
export { abbreviate, abbreviateMatrix } from './show/queue-names.js';
export { drawSvg } from './show/svg.js';
export { worldDiagram } from './show/world-diagram.js';
export { AP_DESIGNS } from './tokens.js';
// vfio_ap and the VFIO device that it gives away.
export * from './vfio/emulated-device.js';
export type { EmulatedDeviceFile } from './vfio/emulated-device-file.js';
export type { PagePins } from './vfio/page-pins.js';
export type { ApMatrixMdev } from './vfio-ap/ap-matrix-mdev.js';
export * from './vfio-ap/generation.js';
export type { ApOwnership, MatrixDev } from './vfio-ap/matrix-dev.js';
export { VfioAp, type VfioApInstance, type VfioApOptions } from './vfio-ap/vfio-ap.js';
