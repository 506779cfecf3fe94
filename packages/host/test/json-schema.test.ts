import { readFileSync } from 'node:fs';
import { machineJsonSchema } from '@vfiokit/host';
import { expect, test } from 'vitest';

test('the schema that ships is made from what descriptions are checked with', () => {
  const shipped = readFileSync(new URL('../machines/machine.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(shipped)).toEqual(JSON.parse(JSON.stringify(machineJsonSchema())));
});

test('it knows what is needed, what may be left out, and what nothing may be', () => {
  const schema = machineJsonSchema() as {
    required: string[];
    additionalProperties: boolean;
    properties: Record<string, { enum?: string[] }>;
  };
  expect(schema.required).toEqual(['name', 'architecture', 'kernel', 'functions']);
  expect(schema.additionalProperties).toBe(false);
  expect(schema.properties.architecture?.enum).toContain('s390x');
});
