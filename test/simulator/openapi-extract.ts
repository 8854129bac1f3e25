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

/** The described operations of these keys with the schemas they need. */
export async function loadDescription(keys: string[]): Promise<Description> {
  return await loadExtract(keys, (document) => extractOperations(document, keys));
}

/** Webhook payloads as GitHub describes them, with the schemas they need; itself a JSON Schema to point into. */
export interface Webhooks {
  components: { schemas: Record<string, Json> };
  /** By GitHub's names: "repository-renamed". */
  webhooks: Record<string, Json>;
}

/** The described payloads of these webhooks. */
export async function loadWebhooks(names: string[]): Promise<Webhooks> {
  return await loadExtract(names, (document) => {
    const place = ["post", "requestBody", "content", "application/json", "schema"];
    const found = names.map(
      (name) =>
        [name, toJsonSchema(objectAt(document, ["x-webhooks", name, ...place]) ?? { not: {} })] as const,
    );
    const webhooks = Object.fromEntries(found);
    return { components: { schemas: collectSchemas(document, webhooks) }, webhooks };
  });
}

/**
 * What `build` makes of the description. That is some 12 MB to parse, so the extract is kept in the temporary folder,
 * one per version of the package and set of names.
 */
async function loadExtract<T>(names: string[], build: (document: Json) => T): Promise<T> {
  const require = createRequire(import.meta.url);
  const file = require.resolve("@octokit/openapi/generated/api.github.com.json");
  const { version } = await readJson(require.resolve("@octokit/openapi/package.json"));
  const hash = createHash("sha256")
    .update(`${EXTRACT_VERSION} ${version} ${names.join("\n")}`)
    .digest("hex");
  const extract = path.join(tmpdir(), `repodex-github-openapi-${hash.slice(0, 16)}.json`);
  const kept = await readJson(extract).catch(() => null);
  if (kept) return kept as unknown as T;
  const built = build(await readJson(file));
  const partial = `${extract}.${process.pid}.${Date.now()}`;
  await writeFile(partial, JSON.stringify(built));
  await rename(partial, extract);
  return built;
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
function collectSchemas(document: Json, operations: object): Record<string, Json> {
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
