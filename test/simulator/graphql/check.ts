import { objectOf } from "../routes/body.ts";
import { type Document, type Field, GraphqlSyntaxError, parseGraphql, type Selection } from "./parse.ts";

interface KnownField {
  /** The type of what it leads to; null for a plain value. */
  type: string | null;
  arguments?: string[];
}

const plain = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { type: null }]));
const GIT_OBJECT = plain("id", "oid", "abbreviatedOid");
const ACCOUNT = plain("id", "login");

/** The part of GitHub's GraphQL schema that the simulator answers; docs.github.com/graphql/reference. */
const SCHEMA: Record<string, Record<string, KnownField>> = {
  Query: {
    repository: { type: "Repository", arguments: ["owner", "name", "followRenames"] },
    rateLimit: { type: "RateLimit" },
  },
  RateLimit: plain("limit", "remaining", "cost", "used", "resetAt"),
  Repository: {
    ...plain("id", "databaseId", "name", "nameWithOwner", "isPrivate", "isArchived", "isDisabled", "isEmpty"),
    owner: { type: "RepositoryOwner" },
    object: { type: "GitObject", arguments: ["oid", "expression"] },
    ref: { type: "Ref", arguments: ["qualifiedName"] },
    defaultBranchRef: { type: "Ref" },
  },
  RepositoryOwner: ACCOUNT,
  Organization: ACCOUNT,
  User: ACCOUNT,
  Ref: { ...plain("name", "prefix"), target: { type: "GitObject" } },
  Node: plain("id"),
  GitObject: GIT_OBJECT,
  Blob: { ...GIT_OBJECT, ...plain("byteSize", "isBinary", "isTruncated", "text") },
  Tree: { ...GIT_OBJECT, entries: { type: "TreeEntry" } },
  TreeEntry: {
    ...plain("name", "nameRaw", "mode", "oid", "type", "size"),
    object: { type: "GitObject" },
  },
  Commit: { ...GIT_OBJECT, ...plain("message", "committedDate"), tree: { type: "Tree" } },
  Tag: GIT_OBJECT,
};

/** Holds a query against the schema, also where its answer would never get that far; a list of sentences. */
export function checkGraphql(body: unknown): string[] {
  const { query } = objectOf(body);
  try {
    if (typeof query !== "string") throw new GraphqlSyntaxError("The body has no query.");
    const document = parseGraphql(query);
    return [...new Set(checkSelections(document.operation, { type: "Query", document }))].map(said);
  } catch (error) {
    if (!(error instanceof GraphqlSyntaxError)) throw error;
    return [said(error.message)];
  }
}

function said(violation: string): string {
  return `POST /graphql: ${violation}`;
}

interface Place {
  type: string;
  document: Document;
}

function checkSelections(selections: Selection[], { type, document }: Place): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === "field") return checkField(selection, { type, document });
    const fragment = selection.kind === "spread" ? document.fragments.get(selection.name) : selection;
    if (!fragment) return [`Fragment ${"name" in selection ? selection.name : ""} is not defined.`];
    const narrowed = fragment.type ?? type;
    if (!SCHEMA[narrowed]) return [`No such type ${narrowed}.`];
    return checkSelections(fragment.selections, { type: narrowed, document });
  });
}

function checkField(field: Field, { type, document }: Place): string[] {
  if (field.name === "__typename") return [];
  const known = SCHEMA[type]?.[field.name];
  if (!known) return [`Field '${field.name}' doesn't exist on type '${type}'`];
  const strange = Object.keys(field.arguments).filter((name) => !known.arguments?.includes(name));
  const wrong = strange.map((name) => `Field '${field.name}' doesn't accept argument '${name}'`);
  if (known.type === null && field.selections.length > 0)
    return [...wrong, `Field '${field.name}' of type '${type}' has no fields.`];
  if (known.type !== null && field.selections.length === 0)
    return [...wrong, `Field '${field.name}' of type '${type}' must have selections.`];
  if (known.type === null) return wrong;
  return [...wrong, ...checkSelections(field.selections, { type: known.type, document })];
}
