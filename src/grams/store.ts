import { type Kysely, sql } from "kysely";
import type { Transaction } from "../database/connect.ts";
import { type Column, copyEncoded, copyRows } from "../database/copy.ts";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { encodeMembers, type MemberBlob } from "./members.ts";
import { POSTING_COLUMNS } from "./segment.ts";

/** Told whenever a segment was added. */
export const SEGMENTS_CHANNEL = "segments";

/** A number for a segment that is about to be made. */
export async function drawSegmentId(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select nextval(pg_get_serial_sequence('gram_segments', 'id'))::text as id`.execute(db);
  return rows[0]?.id as string;
}

/** What a segment is made of: the blobs of each of its repositories, in the order of their units. */
export interface SegmentPart {
  repository_id: string;
  blobs: MemberBlob[];
}

const PART_COLUMNS: Column[] = [
  { name: "segment_id", type: "int8" },
  { name: "position", type: "int4" },
  { name: "repository_id", type: "int8" },
  { name: "first_chunk", type: "int8" },
  { name: "last_chunk", type: "int8" },
  { name: "chunks", type: "int4" },
  { name: "members", type: "bytea" },
];

/**
 * Stores a segment whose rows are encoded already (POSTING_COLUMNS), or stored. It is seen once the transaction is
 * committed.
 */
export async function storeSegment(
  { trx, client }: Transaction,
  { id, parts, postings }: { id: string; parts: SegmentPart[]; postings: Iterable<Uint8Array> | null },
): Promise<void> {
  const units = parts.reduce((sum, { blobs }) => sum + countUnits(blobs), 0);
  await sql`insert into gram_segments (id, units) overriding system value values (${id}, ${units})`.execute(
    trx,
  );
  await copyRows(client, {
    table: "gram_parts",
    columns: PART_COLUMNS,
    rows: parts.map(({ repository_id, blobs }, position) => {
      const last = blobs.at(-1);
      const lastChunk = last ? last.first + countChunks([last]) - 1 : 0;
      const members = encodeMembers(blobs);
      return [id, position, repository_id, blobs[0]?.first ?? 0, lastChunk, countChunks(blobs), members];
    }),
  });
  if (postings)
    await copyEncoded(client, { table: "gram_postings", columns: POSTING_COLUMNS, pieces: postings });
  await notify(trx, SEGMENTS_CHANNEL);
}

function countUnits(blobs: MemberBlob[]): number {
  return blobs.reduce((sum, { units }) => sum + units.length, 0);
}

/** How many chunks these blobs have. */
function countChunks(blobs: MemberBlob[]): number {
  return blobs.reduce((sum, { units }) => sum + units.reduce((all, size) => all + size, 0), 0);
}
