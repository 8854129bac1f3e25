import type { Context } from "hono";
import type { Kysely } from "kysely";
import type { Tables } from "../database/schema.ts";
import { type RepositoryView, readRepository } from "../installations/read.ts";
import { type RunView, readRun } from "../runs/read.ts";
import { notFound } from "./problem.ts";

/** A repository as the caller may see it; throws the Problem of one that is not there where the caller may not. */
export async function requireRepository(c: Context, db: Kysely<Tables>, id: string): Promise<RepositoryView> {
  const repository = await readRepository(db, c.var.viewer, id);
  if (!repository) throw notFound("repository");
  return repository;
}

/** The same of a run. */
export async function requireRun(c: Context, db: Kysely<Tables>, id: string): Promise<RunView> {
  const run = await readRun(db, c.var.viewer, id);
  if (!run) throw notFound("run");
  return run;
}
