import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, Content> }> }>>;
}
interface Content {
  schema?: unknown;
}

/** What an answer must be like, by its operation, status and media type. */
interface Description {
  paths: { pattern: RegExp; path: string }[];
  document: Document;
  ajv: Ajv2020;
}

const descriptions = new Map<string, Promise<Description>>();

/**
 * Holds an answer of the API against the document that the app itself serves: no answer, media type or field that is not
 * described. Throws an Error that says what does not fit.
 */
export async function checkAnswer(
  url: string,
  { method, path, response }: { method: string; path: string; response: Response },
): Promise<void> {
  if (!path.startsWith("/api/v1/") || response.status === 304) return;
  const origin = new URL(url).origin;
  const loading = descriptions.get(origin) ?? load(origin);
  descriptions.set(origin, loading);
  const { paths, document, ajv } = await loading;
  const { pathname } = new URL(path, origin);
  const template = paths.find(({ pattern }) => pattern.test(pathname))?.path;
  const operation = template && document.paths[template]?.[method.toLowerCase()];
  if (!operation) {
    if (response.status < 400) throw new Error(`${method} ${pathname} is not described.`);
    return;
  }
  const exact = String(response.status);
  const status = exact in operation.responses ? exact : `${exact[0]}XX`;
  const content = operation.responses[status]?.content ?? {};
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  if (type === "text/event-stream" || (type === "" && Object.keys(content).length === 0)) return;
  const where = `${method} ${template} ${response.status} ${type}`;
  if (!(type in content)) throw new Error(`${where}: the media type is not described.`);
  const pointer = ["paths", template, method.toLowerCase(), "responses", status, "content", type, "schema"];
  const validate = ajv.getSchema(`api#/${pointer.map(escapeToken).join("/")}`) as ValidateFunction;
  if (validate(await response.clone().json())) return;
  const [fault] = validate.errors ?? [];
  throw new Error(`${where}: ${fault?.instancePath} ${fault?.message} ${JSON.stringify(fault?.params)}`);
}

async function load(origin: string): Promise<Description> {
  const answer = await fetch(`${origin}/api/openapi.json`);
  const document = closeObjects(await answer.json()) as Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "api", false);
  const paths = Object.keys(document.paths)
    .sort((a, b) => Number(a.includes("{")) - Number(b.includes("{")))
    .map((path) => ({ path, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}/?$`) }));
  return { paths, document, ajv };
}

/** The document lets answers grow; a test wants each field described. */
function closeObjects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closeObjects);
  if (typeof value !== "object" || value === null) return value;
  const closed = Object.fromEntries(Object.entries(value).map(([name, of]) => [name, closeObjects(of)]));
  const isObject = "type" in value && value.type === "object" && "properties" in value;
  return isObject && !("additionalProperties" in value) ? { ...closed, additionalProperties: false } : closed;
}

function escapeToken(token: string): string {
  return encodeURIComponent(token.replaceAll("~", "~0").replaceAll("/", "~1"));
}
