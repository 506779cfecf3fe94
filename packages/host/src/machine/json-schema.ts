import { MACHINE } from './description.js';

/** What the walk below reads of a valibot schema: every one of them has a type, the others by kind. */
interface SchemaNode {
  readonly type: string;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly item?: SchemaNode;
  readonly value?: SchemaNode;
  readonly wrapped?: SchemaNode;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly default?: unknown;
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[];
}

/** The JSON schema of machine descriptions, for editors; made from what descriptions are checked with. */
export function machineJsonSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A machine of vfiokit',
    ...convert(MACHINE as unknown as SchemaNode),
  };
}

function convert(node: SchemaNode): Record<string, unknown> {
  switch (node.type) {
    case 'strict_object': {
      const entries = Object.entries(node.entries!);
      return {
        type: 'object',
        properties: Object.fromEntries(entries.map(([key, value]) => [key, convert(value)])),
        required: entries.filter(([, value]) => value.type !== 'optional').map(([key]) => key),
        additionalProperties: false,
      };
    }
    case 'optional':
      return {
        ...convert(node.wrapped!),
        ...(node.default === undefined ? {} : { default: node.default }),
      };
    case 'array':
      return { type: 'array', items: convert(node.item!) };
    case 'record':
      return { type: 'object', additionalProperties: convert(node.value!) };
    case 'union':
      return { anyOf: (node.options as readonly SchemaNode[]).map(convert) };
    case 'picklist':
      return { enum: node.options };
    case 'literal':
      return { const: node.literal };
    case 'unknown':
      return {};
    default:
      return { type: node.type, ...refinements(node.pipe ?? []) };
  }
}

/** What a pipe adds to a type. */
function refinements(pipe: NonNullable<SchemaNode['pipe']>): Record<string, unknown> {
  const added: Record<string, unknown> = {};
  for (const { type, requirement } of pipe) {
    if (type === 'regex') added.pattern = (requirement as RegExp).source;
    if (type === 'integer') added.type = 'integer';
    if (type === 'min_value') added.minimum = requirement;
    if (type === 'max_value') added.maximum = requirement;
  }
  return added;
}
