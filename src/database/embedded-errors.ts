/** This system cannot run the embedded server. */
export class EmbeddedUnsupported extends Error {
  override readonly name = "EmbeddedUnsupported";
  constructor(fact: string, options?: ErrorOptions) {
    super(
      `The embedded database cannot run here: ${fact}. Set DATABASE_URL to a PostgreSQL 15 or later.`,
      options,
    );
  }
}

/** The embedded server should run here, but did not start. */
export class EmbeddedStartFailed extends Error {
  override readonly name = "EmbeddedStartFailed";
}
