/** A part of a query's text, by UTF-16 offsets. */
export interface Span {
  start: number;
  end: number;
}

/** A query that cannot be read: what is wrong, what to write instead, and where. */
export class QuerySyntaxError extends Error {
  readonly span: Span;

  constructor(message: string, { start, end }: Span) {
    super(message);
    this.name = "QuerySyntaxError";
    this.span = { start, end };
  }
}
