/** A document that the parser cannot read; GitHub answers such with HTTP 200 and `errors`. */
export class GraphqlSyntaxError extends Error {
  override readonly name = "GraphqlSyntaxError";
}

/** A field as it was asked for; `selections` is empty for a plain value. */
export interface Field {
  kind: "field";
  /** The key in the answer: the alias where there is one. */
  key: string;
  name: string;
  arguments: Record<string, Value>;
  selections: Selection[];
}

/** An inline fragment, or a spread whose definition was put in its place. */
interface Fragment {
  kind: "fragment";
  type: string | null;
  selections: Selection[];
}

/** What may stand between braces. */
export type Selection = Field | Fragment | { kind: "spread"; name: string };
type Value = { variable: string } | { constant: string | number | boolean | null };

/** A parsed query with the fragments it may spread. */
export interface Document {
  operation: Selection[];
  fragments: Map<string, Fragment>;
}

const TOKEN =
  /\s+|,|#[^\n]*|("""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|\.\.\.|-?\d+(?:\.\d+)?|[_A-Za-z]\w*|[!$():=@[\]{|}&])/y;

/** Reads a document with one query: fields, aliases, arguments, variables, fragments. No directives, no lists. */
export function parseGraphql(source: string): Document {
  const tokens = tokenize(source);
  let position = 0;
  const peek = () => tokens[position] ?? "";
  const next = () => tokens[position++] ?? fail("The document ends too early.");

  function expect(token: string): void {
    const found = next();
    if (found !== token) fail(`Expected "${token}", found "${found}".`);
  }

  function name(): string {
    const found = next();
    return /^[_A-Za-z]/.test(found) ? found : fail(`Expected a name, found "${found}".`);
  }

  function selections(): Selection[] {
    const found: Selection[] = [];
    expect("{");
    while (peek() !== "}") found.push(selection());
    expect("}");
    return found;
  }

  function selection(): Selection {
    if (peek() !== "...") return field();
    next();
    if (peek() === "{") return { kind: "fragment", type: null, selections: selections() };
    const word = name();
    if (word !== "on") return { kind: "spread", name: word };
    return { kind: "fragment", type: name(), selections: selections() };
  }

  function field(): Field {
    const first = name();
    let real = first;
    if (peek() === ":") {
      next();
      real = name();
    }
    const given: Field["arguments"] = {};
    if (peek() === "(") {
      next();
      while (peek() !== ")") {
        const argument = name();
        expect(":");
        given[argument] = value();
      }
      next();
    }
    return {
      kind: "field",
      key: first,
      name: real,
      arguments: given,
      selections: peek() === "{" ? selections() : [],
    };
  }

  function value(): Value {
    const token = next();
    if (token === "$") return { variable: name() };
    if (token.startsWith('"')) return { constant: unquote(token) };
    if (/^-?\d/.test(token)) return { constant: Number(token) };
    if (token === "true" || token === "false") return { constant: token === "true" };
    if (/^[_A-Za-z]/.test(token)) return { constant: token === "null" ? null : token };
    return fail(`Unexpected "${token}".`);
  }

  /** `($owner: String!, $name: String! = "x")`: names and types are taken on trust. */
  function skipVariables(): void {
    if (peek() !== "(") return;
    while (next() !== ")");
  }

  const fragments = new Map<string, Fragment>();
  let operation: Selection[] | null = null;
  while (position < tokens.length) {
    if (peek() === "fragment") {
      next();
      const called = name();
      expect("on");
      fragments.set(called, { kind: "fragment", type: name(), selections: selections() });
      continue;
    }
    if (peek() !== "{") {
      if (next() !== "query") fail("Only queries are answered.");
      if (/^[_A-Za-z]/.test(peek())) next();
      skipVariables();
    }
    if (operation) fail("One operation at a time.");
    operation = selections();
  }
  return { operation: operation ?? fail("The document has no query."), fragments };
}

function tokenize(source: string): string[] {
  const tokens: string[] = [];
  const token = new RegExp(TOKEN);
  for (let at = 0; at < source.length; at = token.lastIndex) {
    const found = token.exec(source);
    if (!found) return fail(`Unexpected character ${JSON.stringify(source[at])}.`);
    if (found[1] !== undefined) tokens.push(found[1]);
  }
  return tokens;
}

function unquote(token: string): string {
  if (token.startsWith('"""')) return token.slice(3, -3);
  const value: unknown = JSON.parse(token);
  return String(value);
}

function fail(message: string): never {
  throw new GraphqlSyntaxError(message);
}
