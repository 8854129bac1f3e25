import { Ajv, type ValidateFunction } from "ajv";
import type { Answer } from "./answers.ts";
import { type Description, loadDescription, type Operation } from "./openapi-extract.ts";
import type { Call, Route } from "./router.ts";

type RouteName = Pick<Route, "method" | "template">;

/** Checks requests and answers against GitHub's own description; each answer is a list of sentences. */
export interface Validator {
  checkRequest(route: RouteName, call: Pick<Call, "params" | "query" | "body">): string[];
  checkAnswer(route: RouteName, answer: Answer & { body: Buffer }): string[];
  /** Whether GitHub describes the route at all. */
  describes(route: RouteName): boolean;
}

/** Compiling takes ten times as long as checking: one validator serves all simulators of a process. */
const loaded = new Map<string, Promise<Validator>>();

/** Loads what GitHub says of these routes; a schema is compiled when it is first needed. */
export async function loadValidator(routes: RouteName[]): Promise<Validator> {
  const keys = routes.map(keyOf);
  const loading = loaded.get(keys.join()) ?? loadDescription(keys).then(createValidator);
  loaded.set(keys.join(), loading);
  return await loading;
}

function createValidator(description: Description): Validator {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema(description, "github", false);

  /** `place` is a path inside the operation: "body", "query/per_page/schema", "answers/200". */
  function check(
    route: RouteName,
    { place, value, what }: { place: string; value: unknown; what: string },
  ): string[] {
    const key = keyOf(route).replaceAll("~", "~0").replaceAll("/", "~1");
    const pointer = `#/operations/${encodeURIComponent(key)}/${place}`;
    const validate = ajv.getSchema(`github${pointer}`) as ValidateFunction | undefined;
    if (!validate || validate(value)) return [];
    return (validate.errors ?? []).slice(0, 1).map(({ instancePath, message }) => {
      return `${keyOf(route)}: ${what}${instancePath} ${message}`;
    });
  }

  function checkQuery(route: RouteName, query: URLSearchParams, operation: Operation): string[] {
    const sent = [...query].flatMap(([name, text]) => {
      const known = operation.query[name];
      if (!known) return [`${keyOf(route)}: query parameter ${name} is not described.`];
      const place = `query/${name}/schema`;
      return check(route, { place, value: coerce(text, known.schema), what: `query parameter ${name}` });
    });
    const missing = Object.entries(operation.query).filter(
      ([name, { required }]) => required && !query.has(name),
    );
    return [...sent, ...missing.map(([name]) => `${keyOf(route)}: query parameter ${name} is missing.`)];
  }

  function checkPath(route: RouteName, params: Record<string, string>, operation: Operation): string[] {
    return Object.entries(params).flatMap(([name, text]) => {
      const schema = operation.path[name];
      const place = `path/${name}`;
      return schema
        ? check(route, { place, value: coerce(text, schema), what: `path parameter ${name}` })
        : [];
    });
  }

  function checkBody(route: RouteName, body: unknown, operation: Operation): string[] {
    if (body === undefined) return operation.bodyRequired ? [`${keyOf(route)}: the body is missing.`] : [];
    // An empty object is what clients send where there is nothing to say.
    if (!operation.body) return isEmpty(body) ? [] : [`${keyOf(route)}: no body is described.`];
    const known = operation.bodyFields;
    const strange = known ? Object.keys(Object(body)).filter((name) => !known.includes(name)) : [];
    return [
      ...check(route, { place: "body", value: body, what: "body" }),
      ...strange.map((name) => `${keyOf(route)}: body/${name} is not described.`),
    ];
  }

  return {
    describes: (route) => keyOf(route) in description.operations,
    checkRequest(route, { params, query, body }) {
      const operation = description.operations[keyOf(route)];
      if (!operation) return [];
      return [
        ...checkPath(route, params, operation),
        ...checkQuery(route, query, operation),
        ...checkBody(route, body, operation),
      ];
    },
    checkAnswer(route, { status, body }) {
      const operation = description.operations[keyOf(route)];
      if (!operation || status >= 300) return [];
      if (!(status in operation.answers)) return [`${keyOf(route)}: answer ${status} is not described.`];
      const value: unknown = JSON.parse(body.toString());
      return check(route, { place: `answers/${status}`, value, what: "the simulator's answer" });
    },
  };
}

function keyOf({ method, template }: RouteName): string {
  return `${method} ${template}`;
}

function isEmpty(body: unknown): boolean {
  return typeof body === "object" && Object.keys(Object(body)).length === 0;
}

/** Paths and queries carry text; a number or a truth value is meant where the schema says so. */
function coerce(text: string, { type }: { type?: unknown }): unknown {
  if ((type === "integer" || type === "number") && /^-?\d+$/.test(text)) return Number(text);
  if (type === "boolean" && /^(?:true|false)$/.test(text)) return text === "true";
  return text;
}
