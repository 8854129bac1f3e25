import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { toJsonSchema } from "./openapi-schema.ts";

type Json = Record<string, unknown>;

/** What is known of one operation, with JSON Schemas in which nullable is a type. */
export interface Operation {
  path: Record<string, Json>;
  query: Record<string, { required: boolean; schema: Json }>;
  body: Json | null;
  bodyRequired: boolean;
  /** The names of its fields, where they are listed. */
  bodyFields: string[] | null;
  /** Schemas by status; an empty one where there is no JSON. */
  answers: Record<string, Json>;
}

/** The part of GitHub's description that the simulator needs, itself a JSON Schema to point into. */
export interface Description {
  components: { schemas: Record<string, Json> };
  /** By "METHOD /template". */
  operations: Record<string, Operation>;
}

const EXTRACT_VERSION = 2;

/**
 * The described operations of these keys with the schemas they need. The whole description is some 12 MB to parse,
 * so the extract is kept in the temporary folder, one per version of the package and set of routes.
 */
export async function loadDescription(keys: string[]): Promise<Description> {
  const require = createRequire(import.meta.url);
  const file = require.resolve("@octokit/openapi/generated/api.github.com.json");
  const { version } = await readJson(require.resolve("@octokit/openapi/package.json"));
  const hash = createHash("sha256")
    .update(`${EXTRACT_VERSION} ${version} ${keys.join("\n")}`)
    .digest("hex");
  const extract = path.join(tmpdir(), `repodex-github-openapi-${hash.slice(0, 16)}.json`);
  const kept = await readJson(extract).catch(() => null);
  if (kept) return kept as unknown as Description;
  const description = extractOperations(await readJson(file), keys);
  const partial = `${extract}.${process.pid}.${Date.now()}`;
  await writeFile(partial, JSON.stringify(description));
  await rename(partial, extract);
  return description;
}

async function readJson(file: string): Promise<Json> {
  return JSON.parse(await readFile(file, "utf8"));
}

function extractOperations(document: Json, keys: string[]): Description {
  const operations: Record<string, Operation> = {};
  for (const key of keys) {
    const [method = "", template = ""] = key.split(" ");
    const described = objectAt(document, ["paths", template, method.toLowerCase()]);
    if (described) operations[key] = extractOperation(document, described);
  }
  return { components: { schemas: collectSchemas(document, operations) }, operations };
}

function extractOperation(document: Json, described: Json): Operation {
  const parameters = listOf(described.parameters).map((parameter) => dereference(document, parameter));
  const at = (place: string) => parameters.filter((parameter) => parameter.in === place);
  const named = (parameter: Json) => [String(parameter.name), toJsonSchema(parameter.schema)] as const;
  const requestBody = described.requestBody ? dereference(document, described.requestBody as Json) : null;
  const schema = requestBody && objectAt(requestBody, ["content", "application/json", "schema"]);
  const inlined = schema && dereference(document, schema);
  const query = at("query").map((parameter) => {
    const [name, converted] = named(parameter);
    return [name, { required: parameter.required === true, schema: converted }] as const;
  });
  const answers = Object.entries((described.responses ?? {}) as Json).map(([status, response]) => {
    const resolved = dereference(document, response as Json);
    return [
      status,
      toJsonSchema(objectAt(resolved, ["content", "application/json", "schema"]) ?? {}),
    ] as const;
  });
  return {
    path: Object.fromEntries(at("path").map(named)),
    query: Object.fromEntries(query),
    body: schema ? toJsonSchema(schema) : null,
    bodyRequired: requestBody?.required === true,
    bodyFields: inlined && objectAt(inlined, ["properties"]) ? Object.keys(inlined.properties as Json) : null,
    answers: Object.fromEntries(answers),
  };
}

/** The schemas that the operations refer to, and those that these refer to. */
function collectSchemas(document: Json, operations: Record<string, Operation>): Record<string, Json> {
  const schemas: Record<string, Json> = {};
  const wanted = referencesIn(operations);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (schemas[name]) continue;
    const schema = toJsonSchema(objectAt(document, ["components", "schemas", name]) ?? {});
    schemas[name] = schema;
    wanted.push(...referencesIn(schema));
  }
  return schemas;
}

function referencesIn(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
    ([, name = ""]) => name,
  );
}

function dereference(document: Json, value: Json): Json {
  if (typeof value.$ref !== "string") return value;
  return objectAt(document, value.$ref.replace("#/", "").split("/")) ?? {};
}

function objectAt(from: Json, keys: string[]): Json | null {
  let value: unknown = from;
  for (const key of keys)
    value = typeof value === "object" && value !== null ? (value as Json)[key] : undefined;
  return typeof value === "object" && value !== null ? (value as Json) : null;
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value : [];
}
