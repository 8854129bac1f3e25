import { isPermitted, reaches } from "../access.ts";
import { type Answer, json } from "../answers.ts";
import type { Git } from "../git.ts";
import { objectOf } from "../routes/body.ts";
import type { Simulation } from "../simulation.ts";
import type { InstallationToken } from "../tokens.ts";
import { nodeId } from "../views/links.ts";
import { findByName, type SimulatedRepository } from "../world.ts";
import { type Node, readObject } from "./objects.ts";
import { type Document, type Field, GraphqlSyntaxError, parseGraphql, type Selection } from "./parse.ts";

interface GraphqlError {
  type?: string;
  path?: string[];
  message: string;
  extensions?: Record<string, unknown>;
}

interface Execution {
  simulation: Simulation;
  token: InstallationToken;
  document: Document;
  variables: Record<string, unknown>;
  errors: GraphqlError[];
}

/** Answers a query as GitHub does: HTTP 200, with `errors` beside whatever could be resolved. */
export async function answerGraphql(
  body: unknown,
  caller: Pick<Execution, "simulation" | "token">,
): Promise<Answer> {
  const { query, variables } = objectOf(body);
  const errors: GraphqlError[] = [];
  try {
    const document = parseGraphql(String(query));
    const execution = { ...caller, document, variables: objectOf(variables), errors };
    const data = await resolve(document.operation, { node: queryRoot(execution), path: [], execution });
    const fatal = errors.some(({ extensions }) => extensions !== undefined);
    return json(200, { ...(!fatal && { data }), ...(errors.length > 0 && { errors }) });
  } catch (error) {
    if (!(error instanceof GraphqlSyntaxError)) throw error;
    return json(200, { errors: [{ message: `Parse error: ${error.message}` }] });
  }
}

/** GraphQL's way to say that the budget is spent. */
export function graphqlRateLimited(message: string): Answer {
  return json(200, { errors: [{ type: "RATE_LIMITED", message }] });
}

interface Place {
  node: Node;
  path: string[];
  execution: Execution;
}

async function resolve(selections: Selection[], place: Place): Promise<Record<string, unknown>> {
  const resolved = fieldsOf(selections, place).map(async (field) => {
    const value = await resolveField(field, { ...place, path: [...place.path, field.key] });
    return [field.key, value] as const;
  });
  return Object.fromEntries(await Promise.all(resolved));
}

/** The fields that apply to the node's type, fragments opened. */
function fieldsOf(selections: Selection[], place: Place): Field[] {
  return selections.flatMap((selection) => {
    if (selection.kind === "field") return selection;
    const fragment =
      selection.kind === "spread" ? place.execution.document.fragments.get(selection.name) : selection;
    if (!fragment)
      throw new GraphqlSyntaxError(`Fragment ${"name" in selection ? selection.name : ""} is not defined.`);
    const applies = fragment.type === null || [place.node.type, "Node", "GitObject"].includes(fragment.type);
    return applies ? fieldsOf(fragment.selections, place) : [];
  });
}

async function resolveField(field: Field, place: Place): Promise<unknown> {
  const { node, path, execution } = place;
  if (field.name === "__typename") return node.type;
  const read = Object.hasOwn(node.fields, field.name) ? node.fields[field.name] : undefined;
  if (!read) return refuseField(field, place);
  const given = Object.entries(field.arguments).map(([name, value]) => {
    return [name, "variable" in value ? execution.variables[value.variable] : value.constant] as const;
  });
  const value = await read(Object.fromEntries(given), path);
  const open = (child: Node) => resolve(field.selections, { node: child, path, execution });
  if (Array.isArray(value)) return Promise.all(value.map((child) => (isNode(child) ? open(child) : child)));
  return isNode(value) ? open(value) : (value ?? null);
}

function refuseField(field: Field, { node, path, execution }: Place): null {
  const message = `Field '${field.name}' doesn't exist on type '${node.type}'`;
  const extensions = { code: "undefinedField", typeName: node.type, fieldName: field.name };
  execution.errors.push({ path: ["query", ...path], extensions, message });
  return null;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "fields" in value;
}

function queryRoot(execution: Execution): Node {
  const { simulation, token, errors } = execution;
  return {
    type: "Query",
    fields: {
      repository({ owner, name }, path) {
        const found = findByName(simulation.world, `${owner}/${name}`);
        if (found && reaches(token, found.repository)) return repositoryNode(found.repository, execution);
        const message = `Could not resolve to a Repository with the name '${owner}/${name}'.`;
        errors.push({ type: "NOT_FOUND", path, message });
        return null;
      },
      rateLimit() {
        const { limit, remaining, reset } = simulation.budgets.read(token.installation_id, "graphql");
        const resetAt = new Date(reset * 1000).toISOString();
        return constant("RateLimit", { limit, remaining, cost: 1, used: limit - remaining, resetAt });
      },
    },
  };
}

function repositoryNode(repository: SimulatedRepository, execution: Execution): Node {
  const { git, world } = execution.simulation;
  const { git_dir, default_branch: branch } = repository;
  const owner = world.account(repository.owner);
  const facts = constant("Repository", {
    id: nodeId("Repository", repository.id),
    databaseId: repository.id,
    name: repository.name,
    nameWithOwner: repository.full_name,
    isPrivate: repository.private,
    isArchived: repository.archived,
    isDisabled: false,
    owner: constant(owner.type, { login: owner.login }),
  });
  /** What git holds is for tokens with the contents permission. */
  const contents = (read: (given: Record<string, unknown>) => unknown) => {
    return (given: Record<string, unknown>, path: string[]) => {
      if (isPermitted(execution.token, { permission: "contents", level: "read", world })) return read(given);
      execution.errors.push({ type: "FORBIDDEN", path, message: "Resource not accessible by integration" });
      return null;
    };
  };
  return {
    type: "Repository",
    fields: {
      ...facts.fields,
      isEmpty: contents(async () => (await git.run(git_dir, ["for-each-ref", "--count=1"])).length === 0),
      object: contents(({ oid, expression }) => readObject(git, git_dir, String(oid ?? expression))),
      ref: contents(({ qualifiedName }) => readRef(git, git_dir, String(qualifiedName))),
      defaultBranchRef: contents(() => readRef(git, git_dir, `refs/heads/${branch}`)),
    },
  };
}

/** A branch or tag by "refs/heads/main", "heads/main" or "main"; null where there is none. */
async function readRef(git: Git, gitDir: string, name: string): Promise<Node | null> {
  const qualified = name.startsWith("refs/") ? name : `refs/${name.includes("/") ? "" : "heads/"}${name}`;
  const target = await readObject(git, gitDir, qualified);
  const [prefix = ""] = /^refs\/(?:[^/]+\/)?/.exec(qualified) ?? [];
  return target && constant("Ref", { name: qualified.slice(prefix.length), prefix, target });
}

function constant(type: string, values: Record<string, unknown>): Node {
  return {
    type,
    fields: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, () => value])),
  };
}
