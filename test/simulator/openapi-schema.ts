type Json = Record<string, unknown>;

/** Keywords that mean the same in OpenAPI 3.0 and JSON Schema, as far as they matter here. */
const KEPT = [
  "$ref",
  "type",
  "enum",
  "required",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
];

/**
 * An OpenAPI 3.0 schema as JSON Schema: nullable becomes a type. GitHub's oneOf often lets several through, so it
 * counts as anyOf; formats and patterns are left out.
 */
export function toJsonSchema(value: unknown): Json {
  const schema = (value ?? {}) as Json;
  const converted: Json = {};
  for (const key of KEPT) if (key in schema) converted[key] = schema[key];
  if (schema.properties) converted.properties = mapValues(schema.properties as Json);
  if (schema.items) converted.items = toJsonSchema(schema.items);
  if (schema.not) converted.not = toJsonSchema(schema.not);
  if (typeof schema.additionalProperties === "object") {
    converted.additionalProperties = toJsonSchema(schema.additionalProperties);
  } else if (schema.additionalProperties === false) {
    converted.additionalProperties = false;
  }
  // In lists of installations an account is said to be a user and an enterprise at once: it is one of them.
  const isAccount = isOf(schema.allOf, ["Simple User", "Enterprise"]);
  if (Array.isArray(schema.allOf) && !isAccount) converted.allOf = schema.allOf.map(toJsonSchema);
  const choices = schema.anyOf ?? schema.oneOf ?? (isAccount ? schema.allOf : undefined);
  if (Array.isArray(choices)) converted.anyOf = choices.map(toJsonSchema);
  return schema.nullable === true ? orNull(converted) : converted;
}

function isOf(schemas: unknown, titles: string[]): boolean {
  return Array.isArray(schemas) && schemas.map(({ title }: Json) => title).join() === titles.join();
}

function mapValues(schemas: Json): Json {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toJsonSchema(schema)]));
}

function orNull(schema: Json): Json {
  if (typeof schema.type !== "string" || schema.anyOf || schema.allOf || schema.$ref) {
    return { anyOf: [schema, { type: "null" }] };
  }
  return {
    ...schema,
    type: [schema.type, "null"],
    ...(Array.isArray(schema.enum) && { enum: [...schema.enum, null] }),
  };
}
