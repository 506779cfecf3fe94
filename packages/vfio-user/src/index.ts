import 'reflect-metadata';

export { ClientMemory, type TransferDone } from './dma/client-memory.js';
export { loadSystem, type System } from './linux/system.js';
export { UnixTransport, type UnixTransportOptions } from './linux/unix-transport.js';
export { openTransport } from './open-transport.js';
export { COMMANDS, type CommandName, commandName } from './protocol/commands.js';
export type { Limits } from './protocol/version.js';
export { type ServeOptions, type ServerEvent, VfioUserServer } from './server.js';
export type { UnmapMode } from './session/dma-commands.js';
export type { MigrationProgress } from './session/migration.js';
export type { RegionArea, SharedMemory } from './session/regions.js';
export { formatMessage, type Trace } from './trace.js';
export type { Channel, ChannelUser, Listener, Transport } from './transport/channel.js';
export type { ClientFile, Descriptors, FileWindow } from './transport/descriptors.js';
export { MemoryDescriptors, type MemoryFile } from './transport/descriptors.js';
export { Inbox } from './transport/inbox.js';
export { MemoryClient, MemoryTransport, type Packet } from './transport/memory-transport.js';
export { NetTransport } from './transport/net-transport.js';
